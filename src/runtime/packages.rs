//! The wheels to install, each with the hash that its download must have.
//!
//! After a change of a version, `pip hash` of the wheels that `pip download` gets for each platform and Python 3.12 tells
//! the hashes.

use super::record::Flavour;
use crate::error::{Error, ErrorKind, Result};

/// One wheel to download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package {
    /// Name in the package index.
    pub name: &'static str,
    /// The pinned version.
    pub version: &'static str,
    /// About how many megabytes are downloaded.
    pub megabytes: u32,
    /// The wheel's SHA-256 for each platform that has one, named as by [`platform`].
    pub(super) hashes: &'static [(&'static str, &'static str)],
}

impl Package {
    /// What pip is told to install: this version, and only the wheel that was pinned.
    ///
    /// # Errors
    /// `ErrorKind::Runtime` where there is no wheel for this platform.
    pub(super) fn requirement(&self) -> Result<String> {
        let platform = platform();
        // The libraries in the wheels for Linux need glibc.
        let runs = |(name, _): &&(&str, &str)| *name == platform && !cfg!(target_env = "musl");
        let (_, hash) = self.hashes.iter().find(runs).ok_or_else(|| no_wheel(self))?;
        Ok(format!("{}=={} --hash=sha256:{hash}\n", self.name, self.version))
    }
}

fn platform() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

/// The tags of wheels that may run here, newest first.
pub(super) fn platform_tags() -> Vec<String> {
    let processor = std::env::consts::ARCH;
    match std::env::consts::OS {
        "macos" => vec!["macosx_14_0_arm64".to_owned()],
        "windows" if processor == "x86_64" => vec!["win_amd64".to_owned()],
        "windows" => vec!["win_arm64".to_owned()],
        _ => ["manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014"]
            .map(|system| format!("{system}_{processor}"))
            .to_vec(),
    }
}

fn no_wheel(package: &Package) -> Error {
    let message = format!(
        "{}: there is no prebuilt library for {} with this C library; \
         build ONNX Runtime and name it with --library or ORT_DYLIB_PATH",
        package.name,
        platform()
    );
    Error::new(ErrorKind::Runtime, message)
}

/// The wheels of a flavour. NVIDIA's are of the CUDA release that the provider was built for.
pub(super) fn packages(flavour: Flavour) -> &'static [Package] {
    match flavour {
        Flavour::Cpu => &CPU,
        Flavour::Cuda => &CUDA,
        Flavour::OpenVino => &OPENVINO,
        Flavour::WebGpu => &WEBGPU,
    }
}

const CPU: [Package; 1] = [Package {
    name: "onnxruntime",
    version: "1.32.0",
    megabytes: 28,
    hashes: &[
        ("linux-x86_64", "99e1074c4b2197accd5073052a465361be17b89c093b8ffb6e6bd8f986c52df8"),
        ("linux-aarch64", "e36c187006e7a7c8b8d6d57f1a209dd63f52430dca6c282b177718ad6b841054"),
        ("macos-aarch64", "d52510bbbcc880c13b826f7d75cdf33ac5cf0bb864d960000fc29ce73f0cb83e"),
        ("windows-x86_64", "efe7456952c243a05a53d5b8732953625144642c2f3989094277f6217f0c0c40"),
        ("windows-aarch64", "64d394c69d561af3efd4d4f49dcac8f11d0ce135a20701c16d53b74056cd4cf8"),
    ],
}];

// `onnxruntime-gpu` has wheels for x86-64 alone, and for Windows this release of cuBLAS has none.
const CUDA: [Package; 5] = [
    Package {
        name: "onnxruntime-gpu",
        version: "1.31.1",
        megabytes: 256,
        hashes: &[("linux-x86_64", "05d548956197b9d01f59b625de740e0d6be3593f874e241a12dc0362650ecdf7")],
    },
    Package {
        name: "nvidia-cuda-runtime",
        version: "13.5.37",
        megabytes: 3,
        hashes: &[("linux-x86_64", "df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d")],
    },
    Package {
        name: "nvidia-cublas",
        version: "13.4.3.11",
        megabytes: 405,
        hashes: &[("linux-x86_64", "56682374ec2a1c386b20308a834ebb346c438db29db143e6e75b70b1b0009eea")],
    },
    Package {
        name: "nvidia-curand",
        version: "10.4.5.25",
        megabytes: 77,
        hashes: &[("linux-x86_64", "22bb226a857e5888fe6b54ae465fc4371296bcff13a35f79e19691bcf454f529")],
    },
    Package {
        name: "nvidia-cudnn-cu13",
        version: "9.26.1.1",
        megabytes: 519,
        hashes: &[("linux-x86_64", "c709224270fbfb5c51248422b468dc258461a723a8d5a21f50111614b36b8c53")],
    },
];

const OPENVINO: [Package; 1] = [Package {
    name: "onnxruntime-ep-openvino",
    version: "1.8.1",
    megabytes: 53,
    hashes: &[
        ("linux-x86_64", "3832643158c8c187fcab6db661cde2a8c06a2b3559d95d0f2411ac0e51c5e924"),
        ("windows-x86_64", "1acd878be173b02bb8b953460f2f59b121e5f6e47ebc6aad490c0590cf6718fb"),
    ],
}];

const WEBGPU: [Package; 1] = [Package {
    name: "onnxruntime-ep-webgpu",
    version: "0.4.0",
    megabytes: 7,
    hashes: &[
        ("linux-x86_64", "5d8c961eda91a88961cad1fb7621f389f006b18497d6ea9ecf96f729f066cbfb"),
        ("linux-aarch64", "17f660db53b1a509c63e721ac6784a2daa1c4e91a968523ee9986505ee5b0a55"),
        ("macos-aarch64", "8d0a91d44b43d931c3068b9134aed9770f27803e353c2b58c93e1700bb68bcca"),
        ("windows-x86_64", "7db646669d1a2390551da675115ea125e68cb3d4d2c3a2d6e463372bf8d6ea87"),
        ("windows-aarch64", "a9586f6744370776059edd794c11bca2f563258a5bd2707864aefff31d3af39f"),
    ],
}];
