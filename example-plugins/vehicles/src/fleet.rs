//! The fleet: twenty vehicles that are always the same, and a rule for how they move.

use luckystack::prelude::*;

/// A vehicle as clients see it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Vehicle {
    /// Such as `v07`.
    pub id: &'static str,
    /// What its drivers call it.
    pub name: &'static str,
    /// Number plate.
    pub plate: &'static str,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lng: f64,
    /// Kilometres per hour.
    pub speed: u32,
    /// Degrees clockwise from north. For the simulation, not for clients.
    #[serde(skip)]
    pub heading: u32,
    /// What it is doing.
    pub status: Status,
}

/// What a vehicle is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// On the road.
    Driving,
    /// Waiting for a job.
    Idle,
    /// At a charger.
    Charging,
    /// In the workshop.
    Service,
}

/// All of it.
pub static FLEET: [Vehicle; 20] = [
    vehicle("v01", "Otter", "LS-100", 52.1943, 4.4358, 92, 15, Status::Driving),
    vehicle("v02", "Heron", "LS-107", 52.0435, 4.7823, 0, 165, Status::Idle),
    vehicle("v03", "Lynx", "LS-114", 52.3497, 5.1187, 48, 15, Status::Driving),
    vehicle("v04", "Marten", "LS-121", 52.0516, 4.6764, 0, 105, Status::Charging),
    vehicle("v05", "Badger", "LS-128", 52.0544, 4.6821, 80, 45, Status::Driving),
    vehicle("v06", "Falcon", "LS-135", 52.5685, 4.8676, 0, 270, Status::Idle),
    vehicle("v07", "Hare", "LS-142", 52.5686, 4.8194, 67, 15, Status::Driving),
    vehicle("v08", "Kestrel", "LS-149", 52.5858, 4.3419, 0, 60, Status::Service),
    vehicle("v09", "Wolf", "LS-156", 52.1738, 4.4298, 32, 270, Status::Driving),
    vehicle("v10", "Stork", "LS-163", 52.1851, 5.0345, 0, 75, Status::Idle),
    vehicle("v11", "Beaver", "LS-170", 52.0618, 4.8141, 48, 165, Status::Driving),
    vehicle("v12", "Swift", "LS-177", 52.0585, 4.9409, 0, 270, Status::Charging),
    vehicle("v13", "Moose", "LS-184", 52.0358, 4.4854, 92, 255, Status::Driving),
    vehicle("v14", "Raven", "LS-191", 52.2566, 4.5827, 0, 270, Status::Idle),
    vehicle("v15", "Ibex", "LS-198", 52.5541, 4.6254, 48, 75, Status::Driving),
    vehicle("v16", "Crane", "LS-205", 52.4194, 4.5197, 0, 270, Status::Service),
    vehicle("v17", "Viper", "LS-212", 52.1801, 4.7456, 50, 345, Status::Driving),
    vehicle("v18", "Osprey", "LS-219", 52.2693, 4.8481, 0, 30, Status::Idle),
    vehicle("v19", "Fox", "LS-226", 52.0708, 4.6763, 50, 60, Status::Driving),
    vehicle("v20", "Bison", "LS-233", 52.56, 4.6795, 0, 315, Status::Charging),
];

impl Vehicle {
    /// Where it will be after this many minutes, if it goes on as it does.
    pub fn position_after(&self, minutes: u32) -> (f64, f64) {
        const KM_PER_DEGREE: f64 = 111.2;
        let degrees = f64::from(self.speed) * f64::from(minutes) / 60.0 / KM_PER_DEGREE;
        let heading = f64::from(self.heading).to_radians();
        (
            round(self.lat + degrees * heading.cos()),
            round(self.lng + degrees * heading.sin() / self.lat.to_radians().cos()),
        )
    }
}

/// Five decimals are about a metre.
fn round(degrees: f64) -> f64 {
    (degrees * 1e5).round() / 1e5
}

#[expect(clippy::too_many_arguments, reason = "one line of the table above")]
const fn vehicle(
    id: &'static str,
    name: &'static str,
    plate: &'static str,
    lat: f64,
    lng: f64,
    speed: u32,
    heading: u32,
    status: Status,
) -> Vehicle {
    Vehicle { id, name, plate, lat, lng, speed, heading, status }
}
