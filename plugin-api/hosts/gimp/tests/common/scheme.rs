//! Scripts for both generations of GIMP.

use std::path::Path;

use super::{Generation, Gimp};

/// Scheme that loads `input` as `image` with `layer` and then does `rest`.
pub fn with_image(gimp: &Gimp, input: &Path, rest: &str) -> String {
    let input = input.display();
    match gimp.generation {
        Generation::Two => format!(
            "(let* ((image (car (gimp-file-load RUN-NONINTERACTIVE \"{input}\" \"x\")))
                    (layer (car (gimp-image-get-active-drawable image)))) {rest})\n"
        ),
        Generation::Three => format!(
            "(let* ((image (gimp-file-load RUN-NONINTERACTIVE \"{input}\"))
                    (layer (vector-ref (gimp-image-get-layers image) 0))) {rest})\n"
        ),
    }
}

/// Scheme for the image that the plug-in makes.
pub fn upscale(gimp: &Gimp, scale: u32, this_image: bool) -> String {
    upscale_cleaned(gimp, scale, this_image, "default")
}

/// As [`upscale`], with a level of clean-up.
pub fn upscale_cleaned(gimp: &Gimp, scale: u32, this_image: bool, cleanup: &str) -> String {
    match gimp.generation {
        Generation::Two => format!(
            "(car (plug-in-partdiff-upscale RUN-NONINTERACTIVE image layer {scale} 0 0 \"\" 0 \"{}\" 0 {} \"\" \"cpu\"))",
            if cleanup == "default" { "" } else { cleanup },
            u8::from(this_image)
        ),
        Generation::Three => format!(
            "(plug-in-partdiff-upscale #:run-mode RUN-NONINTERACTIVE #:image image #:drawables (vector layer)
                #:scale \"x{scale}\" #:output \"{}\" #:cleanup \"{cleanup}\" #:device \"cpu\")",
            if this_image { "this-image" } else { "new-image" }
        ),
    }
}

/// Scheme that writes `image` to `path`.
pub fn save(gimp: &Gimp, image: &str, path: &Path) -> String {
    let kind = if path.extension().is_some_and(|extension| extension == "png") { "png" } else { "tiff" };
    let path = path.display();
    match gimp.generation {
        // The last argument keeps colours under full transparency.
        Generation::Two if kind == "png" => format!(
            "(file-png-save2 RUN-NONINTERACTIVE {image} (car (gimp-image-get-active-drawable {image}))
                \"{path}\" \"x\" 0 9 0 0 0 1 0 0 1)"
        ),
        Generation::Two => format!(
            "(gimp-file-save RUN-NONINTERACTIVE {image} (car (gimp-image-get-active-drawable {image})) \"{path}\" \"x\")"
        ),
        // The common exporter leaves the profile out, and colours under full transparency.
        Generation::Three => format!(
            "(file-{kind}-export #:run-mode RUN-NONINTERACTIVE #:image {image} #:file \"{path}\" {}
                #:include-color-profile TRUE)",
            if kind == "png" { "#:save-transparent TRUE" } else { "" }
        ),
    }
}

pub fn header(gimp: &Gimp) -> &'static str {
    match gimp.generation {
        Generation::Two => "",
        Generation::Three => "(script-fu-use-v3)\n",
    }
}
