//! From whatever a stranger sent to a small picture of our own making.
//!
//! The rule: nothing is decoded before its size is known to be bearable, and nothing of what was sent is
//! kept: no metadata, no second frame, no bytes behind the end.

use std::io::Cursor;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use image::codecs::webp::WebPEncoder;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use luckystack::prelude::*;

/// The largest file, decoded from base64.
pub(crate) const MAX_BYTES: usize = 4 << 20;
/// The largest picture: what a phone makes. Decoding it takes some 150 MiB in the worst case, which is what
/// the memory of the service is set by.
pub(crate) const MAX_PIXELS: u64 = 4096 * 3072;
/// The longest side, so that no line alone is too much.
const MAX_SIDE: u32 = 8192;
/// What a decoder may take besides the picture.
const MAX_DECODER_BYTES: u64 = 128 << 20;
/// Side of what comes out; smaller pictures stay as small as they are.
pub(crate) const SIDE: u32 = 256;

/// Browsers write base64 with padding, others do not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decodes a data URL, or base64 alone. What the URL says of its type is not believed.
pub(crate) fn decode_base64(text: &str) -> Result<Vec<u8>, HandlerError> {
    let encoded = match text.strip_prefix("data:") {
        Some(url) => match url.split_once(',') {
            Some((kind, encoded)) if kind.ends_with(";base64") => encoded,
            _ => return Err(invalid()),
        },
        None => text,
    };
    // Before anything is allocated for it.
    if encoded.len() / 4 * 3 > MAX_BYTES + 2 {
        return Err(too_large());
    }
    let bytes = BASE64.decode(encoded.trim()).map_err(|_| invalid())?;
    if bytes.len() > MAX_BYTES { Err(too_large()) } else { Ok(bytes) }
}

/// A square picture of at most [`SIDE`] pixels, as WebP: the middle of what was sent, the right way up.
pub(crate) fn avatar(sent: &[u8]) -> Result<Vec<u8>, HandlerError> {
    let (picture, orientation) = decode(sent)?;
    let side = picture.width().min(picture.height()).min(SIDE);
    let mut small = picture.resize_to_fill(side, side, FilterType::Triangle);
    drop(picture);
    small.apply_orientation(orientation);
    let mut webp = Vec::new();
    let encoder = WebPEncoder::new_lossless(&mut webp);
    let encoded = if small.color().has_alpha() {
        encoder.encode(small.into_rgba8().as_raw(), side, side, ExtendedColorType::Rgba8)
    } else {
        encoder.encode(small.into_rgb8().as_raw(), side, side, ExtendedColorType::Rgb8)
    };
    encoded.map_err(HandlerError::internal)?;
    Ok(webp)
}

fn decode(sent: &[u8]) -> Result<(DynamicImage, Orientation), HandlerError> {
    let mut reader = ImageReader::new(Cursor::new(sent)).with_guessed_format().map_err(|_| invalid())?;
    let known = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP];
    if !reader.format().is_some_and(|format| known.contains(&format)) {
        return Err(invalid());
    }
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    reader.limits(limits);
    // This reads headers only.
    let mut decoder = reader.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(too_many_pixels());
    }
    if width == 0 || height == 0 {
        return Err(invalid());
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let picture = DynamicImage::from_decoder(decoder).map_err(refused)?;
    Ok((picture, orientation))
}

fn refused(error: ImageError) -> HandlerError {
    match error {
        ImageError::Limits(_) => too_many_pixels(),
        _ => invalid(),
    }
}

fn invalid() -> HandlerError {
    error!("avatar.invalidFormat")
}

fn too_large() -> HandlerError {
    error!("avatar.tooLarge", maxBytes = MAX_BYTES).status(413)
}

fn too_many_pixels() -> HandlerError {
    error!("avatar.tooManyPixels", maxPixels = MAX_PIXELS).status(413)
}

#[cfg(test)]
pub(crate) mod tests;
