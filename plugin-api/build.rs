//! What plain cargo does not know about a shared library; cargo-c sets the same name.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let linux_like = std::env::var("CARGO_CFG_TARGET_OS")
        .is_ok_and(|os| ["linux", "android", "freebsd", "netbsd", "openbsd"].contains(&os.as_str()));
    if linux_like {
        // The major number of the ABI.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libpartdiff.so.1");
        // ONNX Runtime and the thread pool live until the process ends; their code must stay mapped.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
