use image::{Rgb, RgbImage, Rgba, RgbaImage};

use super::*;

pub(crate) fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

/// Red on the left, blue on the right.
fn halves(width: u32, height: u32) -> DynamicImage {
    let half = |x| if x < width / 2 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) };
    RgbImage::from_fn(width, height, |x, _| half(x)).into()
}

pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    encoded(&halves(width, height), ImageFormat::Png)
}

fn made(sent: &[u8]) -> RgbaImage {
    let webp = avatar(sent).unwrap();
    assert_eq!(image::guess_format(&webp).unwrap(), ImageFormat::WebP);
    image::load_from_memory(&webp).unwrap().into_rgba8()
}

/// Whether two colours look alike.
fn alike(a: Rgba<u8>, b: [u8; 4]) -> bool {
    a.0.iter().zip(b).all(|(a, b)| a.abs_diff(b) < 24)
}

const RED: [u8; 4] = [255, 0, 0, 255];
const BLUE: [u8; 4] = [0, 0, 255, 255];

#[test]
fn every_format_becomes_a_small_square() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP] {
        let square = made(&encoded(&halves(600, 400), format));
        assert_eq!(square.dimensions(), (256, 256), "{format:?}");
        assert!(alike(*square.get_pixel(5, 128), RED), "{format:?}");
        assert!(alike(*square.get_pixel(250, 128), BLUE), "{format:?}");
    }
}

#[test]
fn the_middle_is_kept_and_small_pictures_are_not_blown_up() {
    // The outer parts, black, are cut off.
    let striped =
        RgbImage::from_fn(
            900,
            300,
            |x, _| {
                if (300..600).contains(&x) { Rgb([255, 0, 0]) } else { Rgb([0, 0, 0]) }
            },
        );
    let square = made(&encoded(&striped.into(), ImageFormat::Png));
    assert!(square.enumerate_pixels().filter(|(x, ..)| (2..254).contains(x)).all(|(.., p)| alike(*p, RED)));
    assert_eq!(made(&png(40, 30)).dimensions(), (30, 30));
    assert_eq!(made(&png(1, 1)).dimensions(), (1, 1));
    assert_eq!(made(&png(8000, 2)).dimensions(), (2, 2));
}

#[test]
fn transparency_survives() {
    let glass = RgbaImage::from_pixel(300, 300, Rgba([0, 255, 0, 100]));
    assert!(alike(*made(&encoded(&glass.into(), ImageFormat::Png)).get_pixel(9, 9), [0, 255, 0, 100]));
}

#[test]
fn sixteen_bits_a_channel_are_taken() {
    let deep = DynamicImage::ImageRgba16(halves(300, 300).into_rgba16());
    assert!(alike(*made(&encoded(&deep, ImageFormat::Png)).get_pixel(5, 128), RED));
}

#[test]
fn a_photo_taken_sideways_is_turned_and_loses_its_metadata() {
    let mut jpeg = encoded(&halves(400, 400), ImageFormat::Jpeg);
    // Exif, little endian, one entry: orientation 6, turn right by a quarter. And where it was taken.
    let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0at home";
    let mut segment = vec![0xff, 0xe1, 0, (exif.len() + 2) as u8];
    segment.extend_from_slice(exif);
    jpeg.splice(2..2, segment);
    let turned = made(&jpeg);
    assert!(alike(*turned.get_pixel(128, 5), RED) && alike(*turned.get_pixel(128, 250), BLUE));
    let webp = avatar(&jpeg).unwrap();
    assert!(!webp.windows(7).any(|window| window == b"at home"));
}

#[test]
fn only_the_four_formats_are_pictures() {
    let whole = png(20, 20);
    for sent in [
        &b""[..],
        b"GIF89a",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"BM\x1a\0\0\0\0\0\0\0\x1a\0\0\0\x0c\0\0\0\x01\0\x01\0\x01\0\x18\0",
        b"\x7fELF",
        &whole[..whole.len() / 2],
        &whole[..8],
    ] {
        assert_eq!(avatar(sent).unwrap_err().code(), "avatar.invalidFormat", "{sent:?}");
    }
}

/// The header of a PNG of this size, and no pixels: whoever trusts it allocates them.
fn bomb(width: u32, height: u32) -> Vec<u8> {
    let mut png = png(1, 1);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    png
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
        )
    })
}

#[test]
fn a_picture_with_too_many_pixels_is_refused_by_its_header() {
    for (width, height) in
        [(4097, 3072), (8193, 1), (1, 8193), (60_000, 60_000), (u32::MAX >> 1, u32::MAX >> 1)]
    {
        let error = avatar(&bomb(width, height)).unwrap_err();
        assert_eq!(
            (error.code(), error.http_status()),
            ("avatar.tooManyPixels", Some(413)),
            "{width}x{height}"
        );
    }
    // Within the limits the missing pixels are what is wrong.
    assert_eq!(avatar(&bomb(4096, 3072)).unwrap_err().code(), "avatar.invalidFormat");
}

#[test]
fn base64_comes_alone_or_in_a_data_url() {
    for text in ["aGk=", "aGk", "data:image/png;base64,aGk=", "data:;base64,aGk", " aGk=\n"] {
        assert_eq!(decode_base64(text).unwrap(), b"hi", "{text}");
    }
    for text in
        ["a", "aG k=", "data:image/png,aGk=", "data:image/png;base64", "https://example.com/x.png", "aGk=="]
    {
        assert_eq!(decode_base64(text).unwrap_err().code(), "avatar.invalidFormat", "{text}");
    }
    let longest = "A".repeat(MAX_BYTES.div_ceil(3) * 4 - 2);
    assert_eq!(decode_base64(&longest).unwrap().len(), MAX_BYTES);
    for longer in ["A".repeat(longest.len() + 1), "A".repeat(2 * longest.len())] {
        let error = decode_base64(&longer).unwrap_err();
        assert_eq!((error.code(), error.http_status()), ("avatar.tooLarge", Some(413)));
    }
}
