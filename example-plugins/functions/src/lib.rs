//! Functions of the project: any service calls them by name, and one that stands here wins over one of the
//! same name that a service contributes.

use luckystack::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Distance {
    /// Latitude and longitude in degrees.
    from: [f64; 2],
    /// Latitude and longitude in degrees.
    to: [f64; 2],
}

/// Kilometres between two points on the earth, as the crow flies.
#[function("geo/distance")]
fn distance(args: Distance) -> Result<f64, HandlerError> {
    const EARTH_RADIUS_KM: f64 = 6371.0088;
    for (name, [lat, lng]) in [("from", args.from), ("to", args.to)] {
        if !(-90.0..=90.0).contains(&lat) || !(-180.0..=180.0).contains(&lng) {
            return Err(error!("geo.invalidPoint", point = name));
        }
    }
    // The haversine formula: stable for points that are close together.
    let [lat1, lng1] = args.from.map(f64::to_radians);
    let [lat2, lng2] = args.to.map(f64::to_radians);
    let half_chord =
        ((lat2 - lat1) / 2.0).sin().powi(2) + lat1.cos() * lat2.cos() * ((lng2 - lng1) / 2.0).sin().powi(2);
    Ok(2.0 * EARTH_RADIUS_KM * half_chord.clamp(0.0, 1.0).sqrt().asin())
}

#[derive(Deserialize, JsonSchema)]
struct Slug {
    text: String,
}

/// A piece of text as it can stand in an address: lower-case ASCII letters and digits, joined by `-`.
#[function("text/slug")]
fn slug(args: Slug) -> Result<String, HandlerError> {
    let mut slug = String::with_capacity(args.text.len());
    for c in args.text.chars().flat_map(char::to_lowercase) {
        match plain(c) {
            Some(letters) => slug.push_str(letters),
            None if c.is_ascii_alphanumeric() => slug.push(c),
            None if slug.is_empty() || slug.ends_with('-') => {}
            None => slug.push('-'),
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    Ok(slug)
}

/// Western European letters without their marks.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => "a",
        'ç' => "c",
        'è' | 'é' | 'ê' | 'ë' => "e",
        'ì' | 'í' | 'î' | 'ï' => "i",
        'ñ' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => "o",
        'ù' | 'ú' | 'û' | 'ü' => "u",
        'ý' | 'ÿ' => "y",
        'æ' => "ae",
        'œ' => "oe",
        'ß' => "ss",
        _ => return None,
    })
}

luckystack::plugin! {
    service = "functions",
    description = "Functions that every service of the project can call",
    handlers = [distance, slug],
}

#[cfg(test)]
mod tests {
    use super::*;
    use luckystack::testing;

    #[test]
    fn distance_is_that_of_the_haversine_formula() {
        for (from, to, km) in [
            ([52.3676, 4.9041], [51.9244, 4.4777], 57.23), // Amsterdam, Rotterdam
            ([52.5200, 13.4050], [40.7128, -74.0060], 6385.0), // Berlin, New York
            ([0.0, 0.0], [0.0, 180.0], 20015.1),           // half way round
            ([10.0, 10.0], [10.0, 10.0], 0.0),
        ] {
            let got = distance(Distance { from, to }).unwrap();
            assert!((got - km).abs() <= km / 1000.0, "{from:?} {to:?}: {got}");
        }
    }

    #[test]
    fn distance_refuses_what_is_not_on_the_earth() {
        let error =
            testing::call_function(&PLUGIN, "geo/distance", &json!({ "from": [91, 0], "to": [0, 0] }));
        let error = error.unwrap_err();
        assert_eq!(error.code(), "geo.invalidPoint");
        assert_eq!(error.params().collect::<Vec<_>>(), [("point", json!("from"))]);
    }

    #[test]
    fn slug_keeps_letters_and_digits() {
        for (text, expected) in [
            ("Crème brûlée  No. 5!", "creme-brulee-no-5"),
            ("--a--", "a"),
            ("Straße", "strasse"),
            ("東京", ""),
            ("", ""),
        ] {
            assert_eq!(slug(Slug { text: text.into() }).unwrap(), expected, "{text}");
        }
    }
}
