//! The fleet: twenty vehicles that are always the same, and a rule for how they move.

use luckystack::prelude::*;

/// A vehicle as clients see it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Vehicle {
    /// Such as `v07`.
    pub id: &'static str,
    /// What its drivers call it.
    pub name: &'static str,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lng: f64,
    /// Kilometres per hour.
    pub speed: u32,
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
    vehicle("v01", "Otter", 52.1943, 4.4358, 92, Status::Driving),
    vehicle("v02", "Heron", 52.0435, 4.7823, 0, Status::Idle),
    vehicle("v03", "Lynx", 52.3497, 5.1187, 48, Status::Driving),
    vehicle("v04", "Marten", 52.0516, 4.6764, 0, Status::Charging),
    vehicle("v05", "Badger", 52.0544, 4.6821, 80, Status::Driving),
    vehicle("v06", "Falcon", 52.5685, 4.8676, 0, Status::Idle),
    vehicle("v07", "Hare", 52.5686, 4.8194, 67, Status::Driving),
    vehicle("v08", "Kestrel", 52.5858, 4.3419, 0, Status::Service),
    vehicle("v09", "Wolf", 52.1738, 4.4298, 32, Status::Driving),
    vehicle("v10", "Stork", 52.1851, 5.0345, 0, Status::Idle),
    vehicle("v11", "Beaver", 52.0618, 4.8141, 48, Status::Driving),
    vehicle("v12", "Swift", 52.0585, 4.9409, 0, Status::Charging),
    vehicle("v13", "Moose", 52.0358, 4.4854, 92, Status::Driving),
    vehicle("v14", "Raven", 52.2566, 4.5827, 0, Status::Idle),
    vehicle("v15", "Ibex", 52.5541, 4.6254, 48, Status::Driving),
    vehicle("v16", "Crane", 52.4194, 4.5197, 0, Status::Service),
    vehicle("v17", "Viper", 52.1801, 4.7456, 50, Status::Driving),
    vehicle("v18", "Osprey", 52.2693, 4.8481, 0, Status::Idle),
    vehicle("v19", "Fox", 52.0708, 4.6763, 50, Status::Driving),
    vehicle("v20", "Bison", 52.56, 4.6795, 0, Status::Charging),
];

impl Vehicle {
    /// Where it will be after this many minutes: all of them drive east.
    pub fn position_after(&self, minutes: u32) -> (f64, f64) {
        const KM_PER_DEGREE: f64 = 111.2;
        let degrees = f64::from(self.speed) * f64::from(minutes) / 60.0 / KM_PER_DEGREE;
        (self.lat, round(self.lng + degrees / self.lat.to_radians().cos()))
    }
}

/// Five decimals are about a metre.
fn round(degrees: f64) -> f64 {
    (degrees * 1e5).round() / 1e5
}

const fn vehicle(
    id: &'static str,
    name: &'static str,
    lat: f64,
    lng: f64,
    speed: u32,
    status: Status,
) -> Vehicle {
    Vehicle { id, name, lat, lng, speed, status }
}
