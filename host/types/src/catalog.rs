//! What all manifests offer together, in the order in which it is written: pages, then names
//! lexicographically, versions by number.

use std::collections::BTreeMap;

use luckystack_plugins::Manifest;
use luckystack_plugins::manifest::{FunctionManifest, RouteManifest};
use luckystack_topology::{FUNCTIONS, RouteKind};

use crate::schema::Schema;
use crate::text::pascal;

/// Everything, sorted.
#[derive(Debug)]
pub(crate) struct Catalog<'m> {
    pub apis: Vec<Api<'m>>,
    pub syncs: Vec<Sync<'m>>,
    pub functions: Vec<Function<'m>>,
    /// Services with API routes, and what their plugins say of themselves.
    pub services: BTreeMap<&'m str, Vec<&'m str>>,
}

/// Where a route stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place<'m> {
    pub page: &'m str,
    pub name: &'m str,
    pub version: u32,
}

#[derive(Debug)]
pub(crate) struct Api<'m> {
    pub place: Place<'m>,
    pub service: &'m str,
    pub route: &'m RouteManifest,
    pub input: Typed,
    pub output: Option<Typed>,
    pub stream: Option<Typed>,
}

/// Both halves of a sync route.
#[derive(Debug)]
pub(crate) struct Sync<'m> {
    pub place: Place<'m>,
    pub server: Option<&'m RouteManifest>,
    pub client: Option<&'m RouteManifest>,
    pub input: Typed,
    pub server_output: Option<Typed>,
    pub client_output: Option<Typed>,
    pub server_stream: Option<Typed>,
    pub client_stream: Option<Typed>,
}

#[derive(Debug)]
pub(crate) struct Function<'m> {
    pub function: &'m FunctionManifest,
    pub input: Option<Typed>,
    pub output: Option<Typed>,
}

/// A schema and the names that its definitions have in the generated module.
#[derive(Debug)]
pub(crate) struct Typed {
    pub schema: Schema,
    pub names: Vec<String>,
}

/// Names of types that are taken.
#[derive(Debug, Default)]
struct Names {
    taken: std::collections::HashMap<String, u32>,
}

impl<'m> Catalog<'m> {
    pub fn new(manifests: &[&'m Manifest]) -> Self {
        let mut apis: BTreeMap<Place<'m>, (&'m str, &'m RouteManifest)> = BTreeMap::new();
        type Halves<'m> = (Option<&'m RouteManifest>, Option<&'m RouteManifest>);
        let mut syncs: BTreeMap<Place<'m>, Halves<'m>> = BTreeMap::new();
        let mut functions: BTreeMap<&'m str, (bool, &'m FunctionManifest)> = BTreeMap::new();
        let mut services: BTreeMap<&'m str, Vec<&'m str>> = BTreeMap::new();
        let mut sorted: Vec<&'m Manifest> = manifests.to_vec();
        sorted.sort_by(|left, right| (&left.service, &left.name).cmp(&(&right.service, &right.name)));
        for manifest in sorted {
            let service = manifest.service.as_str();
            for route in &manifest.routes {
                let page = route.page.as_deref().unwrap_or(service);
                let place = Place { page, name: &route.name, version: route.version };
                // The first one keeps a name that is claimed twice, as it does in the host.
                match route.kind {
                    RouteKind::Api => {
                        services.entry(service).or_default();
                        apis.entry(place).or_insert((service, route));
                    }
                    RouteKind::SyncServer => {
                        syncs.entry(place).or_default().0.get_or_insert(route);
                    }
                    RouteKind::SyncClient => {
                        syncs.entry(place).or_default().1.get_or_insert(route);
                    }
                }
            }
            if let (Some(known), Some(text)) = (services.get_mut(service), &manifest.description) {
                known.push(text);
            }
            // Functions of the project take precedence over those of services.
            let project = service == FUNCTIONS;
            for function in &manifest.functions {
                let known = functions.entry(&function.name).or_insert((project, function));
                if project && !known.0 {
                    *known = (project, function);
                }
            }
        }
        let mut names = Names::default();
        let apis = apis.into_iter().map(|(place, (service, route))| api(&mut names, place, service, route));
        let apis = apis.collect();
        let syncs =
            syncs.into_iter().map(|(place, (server, client))| sync(&mut names, place, server, client));
        let syncs = syncs.collect();
        let functions = functions.into_values().map(|(_, function)| {
            let base = pascal(&function.name);
            let mut typed = |field: &str, schema: &Option<_>| {
                let schema = Schema::read(schema.as_ref()?);
                Some(names.typed(&format!("{base}Function{field}"), schema))
            };
            let input = typed("Args", &function.input);
            let output = typed("Result", &function.output);
            Function { function, input, output }
        });
        let functions = functions.collect();
        Catalog { apis, syncs, functions, services }
    }
}

fn api<'m>(names: &mut Names, place: Place<'m>, service: &'m str, route: &'m RouteManifest) -> Api<'m> {
    let base = place.type_name();
    let input = names.typed(&format!("{base}Input"), Schema::read_input(route.input.as_ref()));
    let output =
        route.output.as_ref().map(|schema| names.typed(&format!("{base}Output"), Schema::read(schema)));
    let stream =
        route.stream.as_ref().map(|schema| names.typed(&format!("{base}Stream"), Schema::read(schema)));
    Api { place, service, route, input, output, stream }
}

fn sync<'m>(
    names: &mut Names,
    place: Place<'m>,
    server: Option<&'m RouteManifest>,
    client: Option<&'m RouteManifest>,
) -> Sync<'m> {
    let base = format!("{}Sync", place.type_name());
    let input = server.and_then(|route| route.input.as_ref());
    let input = names.typed(&format!("{base}Input"), Schema::read_input(input));
    let mut typed = |field: &str, schema: Option<&serde_json::Value>| {
        schema.map(|schema| names.typed(&format!("{base}{field}"), Schema::read(schema)))
    };
    let server_output = typed("ServerOutput", server.and_then(|route| route.output.as_ref()));
    let client_output = typed("ClientOutput", client.and_then(|route| route.output.as_ref()));
    let server_stream = typed("ServerStream", server.and_then(|route| route.stream.as_ref()));
    let client_stream = typed("ClientStream", client.and_then(|route| route.stream.as_ref()));
    Sync { place, server, client, input, server_output, client_output, server_stream, client_stream }
}

impl Names {
    fn typed(&mut self, base: &str, schema: Schema) -> Typed {
        let names =
            schema.named.iter().map(|named| self.unique(&format!("{base}{}", pascal(&named.hint)))).collect();
        Typed { schema, names }
    }

    fn unique(&mut self, name: &str) -> String {
        let count = self.taken.entry(name.to_owned()).or_default();
        *count += 1;
        // An underscore is in no name without a number.
        if *count == 1 { name.to_owned() } else { format!("{name}_{count}") }
    }
}

impl Place<'_> {
    /// `v1`.
    pub fn version(&self) -> String {
        format!("v{}", self.version)
    }

    /// `vehicles/getAll/v1`.
    pub fn path(&self) -> String {
        format!("{}/{}/v{}", self.page, self.name, self.version)
    }

    fn type_name(&self) -> String {
        format!("{}{}V{}", pascal(self.page), pascal(self.name), self.version)
    }
}

/// Items grouped by a key that their order already follows.
pub(crate) fn grouped<T, K: PartialEq>(items: &[T], key: impl Fn(&T) -> K) -> impl Iterator<Item = &[T]> {
    items.chunk_by(move |left, right| key(left) == key(right))
}
