//! Bringing an image's values into the coding that a format implies.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use super::EncodeOptions;
use crate::image::color::{Coding, HDR_PEAK, grey_of_rgb, srgb_icc, through_tables};
use crate::image::{Image, ImageFormat, SampleDepth};

/// The image as `format` means its values, with notes on what was changed.
pub(super) fn adapt<'a>(image: &'a Image, options: &EncodeOptions) -> (Cow<'a, Image>, Vec<String>) {
    let format = options.format;
    let mut notes = Vec::new();
    let premultiply = format == ImageFormat::OpenExr && image.alpha.is_some();
    // Such numbers came from a TIFF file without a word on what they are, and go back to one as they came.
    let float = options.stored_depth(image.depth) == SampleDepth::F32;
    let untold = float && image.format == ImageFormat::Tiff && format == ImageFormat::Tiff;
    let unlinear = image.linear && !format.is_linear() && !untold;
    if !float && !image.linear && image.depth == SampleDepth::F32 {
        notes.extend(clipped(image, format, (1.0 - HDR_PEAK) / 4.0..=HDR_PEAK));
    }
    let tagged = image.metadata.icc.is_some() && !image.linear;
    let space = image.metadata.icc.as_deref().and_then(|icc| icc.get(16..20)).unwrap_or_default();
    let one_channel = image.color.channels() == 1 && format.has_grey();
    // Where grey becomes red, green and blue, its own profile cannot describe them; nor can theirs describe grey.
    let grey = space == b"GRAY" && !one_channel;
    let regrey = tagged && one_channel && format.has_profile() && space == b"RGB ";
    let untag = tagged && (!format.has_profile() || grey);
    let loss = if grey && format.has_profile() { "a profile of grey" } else { "the colour profile" };
    if !(premultiply || unlinear || untag || regrey || format.is_linear() && !image.linear) {
        return (Cow::Borrowed(image), notes);
    }
    let mut changed = image.clone();
    if unlinear {
        if !float {
            notes.extend(clipped(image, format, f32::MIN..=1.0));
        } else if changed.color.channels() == 3 && image.color.range().1 > 1.0 {
            // Without a profile, values above white would be taken for linear light.
            changed.metadata.icc = srgb_icc();
        }
        // With a peak of 1 this is the sRGB curve.
        Coding::linear((0.0, 1.0)).to_srgb(&mut changed.color);
        changed.linear = false;
    } else if regrey {
        let icc = changed.metadata.icc.take().unwrap_or_default();
        changed.metadata.icc = grey_of_rgb(&icc).unwrap_or_else(|()| {
            notes.push("the colour profile is for RGB, and the image is grey; dropped".into());
            None
        });
    } else if tagged && (untag || format.is_linear()) {
        let icc = changed.metadata.icc.take().unwrap_or_default();
        match Coding::from_icc(&icc, changed.color.channels()) {
            Ok(Coding::Kept) if through_tables(&mut changed.color, &icc) => {
                changed.metadata.become_srgb(None);
                notes.push(format!("{format} cannot store {loss}; converted to sRGB"));
            }
            Ok(Coding::Kept) => {
                if Some(&icc) != srgb_icc().as_ref() && !is_srgb_named(&icc) {
                    notes.push(format!("{format} cannot store {loss}; dropped"));
                }
            }
            Ok(coding) => {
                coding.to_srgb(&mut changed.color);
                changed.metadata.become_srgb(None);
                notes.push(format!("{format} cannot store {loss}; converted to sRGB"));
            }
            Err(why) => notes.push(format!("the colour profile is dropped: {why}")),
        }
    }
    if format.is_linear() && !image.linear {
        // Laid over the background as in other formats, before values become light.
        if !format.has_alpha() {
            flatten(&mut changed, options.background);
        }
        Coding::linear((0.0, 1.0)).undo(&mut changed.color);
        changed.linear = true;
        changed.depth = SampleDepth::F32;
    }
    if premultiply && let Some(alpha) = &changed.alpha {
        for channel in 0..changed.color.channels() {
            for (value, a) in changed.color.plane_mut(channel).iter_mut().zip(alpha.data()) {
                *value *= a;
            }
        }
    }
    (Cow::Owned(changed), notes)
}

/// What is said where values outside `allowed` go into a format that begins at black and ends at white.
fn clipped(image: &Image, format: ImageFormat, allowed: RangeInclusive<f32>) -> Option<String> {
    let (least, most) = image.color.range();
    let above = most > *allowed.end();
    let (where_to, end, value) =
        if above { ("above white", "up to", most) } else { ("below black", "down to", least) };
    (above || least < *allowed.start())
        .then(|| format!("{format} cannot store values {where_to}: values {end} {value:.2} are clipped"))
}

/// Lays the image over `background`, in the coding that it has.
fn flatten(image: &mut Image, background: [f32; 3]) {
    let Some(alpha) = image.alpha.take() else { return };
    let channels = image.color.channels();
    for (channel, ground) in background.into_iter().enumerate().take(channels) {
        for (value, a) in image.color.plane_mut(channel).iter_mut().zip(alpha.data()) {
            *value = a * *value + (1.0 - a) * ground;
        }
    }
}

/// Whether a profile that needs no conversion says that it is sRGB.
fn is_srgb_named(icc: &[u8]) -> bool {
    icc.windows(4).any(|part| part == b"sRGB")
}
