//! Whom something is for.

/// Sockets by rooms.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target<'a> {
    /// Those in any of these rooms; everybody when there are none.
    pub rooms: &'a [&'a str],
    /// But for those in any of these. A socket is in the room of its own id.
    pub except: &'a [&'a str],
}

impl<'a> Target<'a> {
    /// Everybody.
    pub const ALL: Target<'static> = Target { rooms: &[], except: &[] };

    /// Those in any of `rooms`.
    pub fn rooms(rooms: &'a [&'a str]) -> Self {
        Target { rooms, except: &[] }
    }

    /// But for those in any of `rooms`.
    #[must_use]
    pub fn except(self, rooms: &'a [&'a str]) -> Self {
        Target { except: rooms, ..self }
    }
}
