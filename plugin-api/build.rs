//! What plain cargo does not know about a shared library; cargo-c sets the same name.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let linux_like = std::env::var("CARGO_CFG_TARGET_OS")
        .is_ok_and(|os| ["linux", "android", "freebsd", "netbsd", "openbsd"].contains(&os.as_str()));
    if linux_like {
        // The major number of the ABI.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libpartdiff.so.1");
        // Decoders in Rust that stand for C libraries export the names of those (openjp2); a host may have these itself.
        println!("cargo:rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
        // ONNX Runtime and the thread pool live until the process ends; their code must stay mapped.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
