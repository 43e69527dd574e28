//! What stands for somebody without a picture.

use crate::secret::fill;

/// A random colour, `#rrggbb`, on which white text can be read.
pub(crate) fn fallback_colour() -> String {
    let mut bytes = [0; 4];
    fill(&mut bytes);
    let [high, low, saturation, lightness] = bytes.map(u32::from);
    colour((high << 8 | low) % 360, 50 + saturation % 26, 35 + lightness % 11)
}

/// From hue (degrees), saturation and lightness (per cent), in whole numbers.
fn colour(hue: u32, saturation: u32, lightness: u32) -> String {
    // Per mille of full intensity.
    let chroma = saturation * (100 - (2 * lightness).abs_diff(100)) / 10;
    let sector = hue / 60;
    let rising = chroma * (hue % 60) / 60;
    let falling = chroma - rising;
    let (red, green, blue) = match sector {
        0 => (chroma, rising, 0),
        1 => (falling, chroma, 0),
        2 => (0, chroma, rising),
        3 => (0, falling, chroma),
        4 => (rising, 0, chroma),
        _ => (chroma, 0, falling),
    };
    let base = lightness * 10 - chroma / 2;
    let part = |part: u32| (part + base).min(1000) * 255 / 1000;
    format!("#{:02x}{:02x}{:02x}", part(red), part(green), part(blue))
}

#[cfg(test)]
mod tests {
    use super::{colour, fallback_colour};

    #[test]
    fn colours_are_colours() {
        assert_eq!(colour(0, 100, 50), "#ff0000");
        assert_eq!(colour(120, 100, 25), "#007f00");
        assert_eq!(colour(240, 100, 50), "#0000ff");
        for _ in 0..1000 {
            let colour = fallback_colour();
            assert!(colour.len() == 7 && colour.starts_with('#'), "{colour}");
            let part = |at| u32::from_str_radix(&colour[at..at + 2], 16).unwrap();
            let light = (part(1) * 299 + part(3) * 587 + part(5) * 114) / 1000;
            assert!(light < 186, "white cannot be read on {colour}");
        }
    }
}
