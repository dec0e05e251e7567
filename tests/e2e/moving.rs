//! The steps of MIGRATION.md, one after the other in one Envoy: the old filters alone, Scopegate in front of them that only
//! reports, a comparison, one route that is enforced, Scopegate alone; and back.

use crate::gate::configuration;
use crate::shipped::with_ports;
use crate::support::client::{get, get_with};
use crate::support::envoy::{Envoy, Gate, module, root};
use crate::support::issuer::{Issuer, now};
use crate::support::server::{Answer, Server};
use crate::support::wait::eventually;
use crate::support::xds::Folder;
use crate::support::yaml;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

fn page() -> String {
    std::fs::read_to_string(root().join("envoy/MIGRATION.md")).unwrap()
}

/// The blocks of a kind.
fn blocks(kind: &str) -> Vec<String> {
    let (page, start) = (page(), format!("```{kind}\n"));
    let after = page.split(&start).skip(1);
    after.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

fn migrate(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scopegate"));
    command.arg("migrate").args(arguments).current_dir(folder).output().unwrap()
}

/// The old file of the page in a folder, and what `migrate` says of it with these arguments.
fn migrated(folder: &Folder, old: &str, arguments: &[&str]) -> (Value, String) {
    folder.put_text("envoy.yaml", old);
    let place = Path::new(&folder.path("envoy.yaml")).parent().unwrap().to_owned();
    let told = migrate(&[&["envoy.yaml"], arguments].concat(), &place);
    let said = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success(), "{said}{}", String::from_utf8_lossy(&told.stderr));
    let out = arguments.last().unwrap();
    (yaml::documents(&place.join(out).join("envoy.yaml")).remove(0), said)
}

/// The connection manager of the only listener of a file.
fn manager(file: &mut Value) -> &mut Value {
    &mut file["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
}

/// The configuration of Scopegate in a file.
fn plugin(file: &mut Value) -> &mut Value {
    let filters = manager(file)["http_filters"].as_array_mut().unwrap();
    let own = filters.iter_mut().find(|filter| filter["name"] == "scopegate").expect("the filter");
    let config = &mut own["typed_config"]["config"];
    config["vm_config"]["code"]["local"]["filename"] = module().to_string_lossy().into();
    &mut config["configuration"]["value"]
}

/// An Envoy that takes one listener after another, each under its own name.
struct World {
    envoy: Envoy,
    files: Folder,
    issuer: Issuer,
    _servers: [Server; 2],
}

impl World {
    fn start(old: &str) -> (Self, String) {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let jwks = issuer.jwks();
        let keys = Server::start(0, move |_| Answer::json(&jwks)).unwrap();
        let upstream = Server::echo(0).unwrap();
        let old = with_ports(old, &upstream, &keys);
        let files = Folder::new();
        files.put("listeners.json", &[]);
        let bootstrap = json!({
            "node": { "id": "test", "cluster": "test" },
            "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } },
            // Compiles the module before the first step: that takes a while.
            "static_resources": {
                "clusters": yaml::parse(&old)["static_resources"]["clusters"],
                "listeners": [Gate::new(configuration(&issuer, json!({}))).listener()],
            },
            "dynamic_resources": { "lds_config": files.source("listeners.json") },
        });
        let envoy = Envoy::start_text(&bootstrap.to_string(), 1).unwrap_or_else(|log| panic!("{log}"));
        (Self { envoy, files, issuer, _servers: [upstream, keys] }, old)
    }

    /// Has Envoy take the listener of a file, with the access log of the page.
    fn take(&self, name: &str, file: &Value) -> SocketAddr {
        let mut file = file.clone();
        let mut log = yaml::parse(&blocks("yaml envoy")[0])["access_log"][0]["typed_config"]["log_format"].clone();
        log["json_format"]["step"] = name.into();
        manager(&mut file)["access_log"] = json!([{ "name": "stdout", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog", "log_format": log } }]);
        let mut listener = file["static_resources"]["listeners"][0].clone();
        listener["name"] = name.into();
        listener["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener".into();
        self.files.put("listeners.json", &[listener]);
        let mut address = None;
        eventually(name, || {
            address = self.envoy.find_listener(name);
            address.is_some()
        });
        address.unwrap()
    }

    /// The statuses of one request of each kind.
    fn statuses(&self, address: SocketAddr) -> [u16; 7] {
        let token = |typ: &str| {
            let token = self.issuer.token(now()).header("typ", typ).claim("iss", "https://idp.example.com/");
            token.claim("groups", json!(["controllers"]))
        };
        let with = |path: &str, token: String| get_with(address, path, &token).status;
        [
            with("/orders/1", token("at+jwt").sign()),
            with("/reports/1", token("at+jwt").sign()),
            with("/orders/1", token("at+jwt").scope("other").sign()),
            with("/orders/1", token("JWT").sign()),
            with("/reports/1", token("JWT").sign()),
            get(address, "/orders/1", &[]).status,
            get(address, "/healthz", &[]).status,
        ]
    }
}

/// What tokens without the type of access tokens get on the two routes, and everything else gets what it always got.
const fn with_jwt(orders: u16, reports: u16) -> [u16; 7] {
    [200, 200, 403, orders, reports, 401, 200]
}

#[test]
fn each_step_of_the_migration_refuses_what_the_page_says_and_the_way_back_works() {
    let (world, old) = World::start(&blocks("yaml old")[0]);
    let before = yaml::parse(&old);
    assert_eq!(world.statuses(world.take("old", &before)), with_jwt(200, 200));

    let (mut reporting, _) = migrated(&world.files, &old, &["--report-only", "--out", "step1"]);
    assert_eq!(plugin(&mut reporting)["report_only"], true);
    assert_eq!(plugin(&mut reporting)["forward"]["token"], "keep");
    let address = world.take("reporting", &reporting);
    eventually("the keys are there", || world.statuses(address) == with_jwt(200, 200));
    let compared = world.compare("reporting", 7);
    assert_eq!(compared.status.code(), Some(0), "{compared:?}");
    let compared = String::from_utf8(compared.stdout).unwrap();
    assert_shown(&blocks("text")[1], &compared);
    for row in ["orders", "reports"] {
        let row = compared.lines().find(|line| line.contains(row)).unwrap_or_else(|| panic!("{row}: {compared}"));
        assert!(row.contains("wrong_type") && row.contains("typ is JWT; wanted: at+jwt"), "{row}");
    }
    assert!(compared.contains("0  the old filters refuse, Scopegate would allow"), "{compared}");

    let mut enforcing = reporting.clone();
    plugin(&mut enforcing).as_object_mut().unwrap().remove("report_only");
    let routes = yaml::parse(&blocks("yaml envoy")[1])["routes"].clone();
    let written = &mut manager(&mut enforcing)["route_config"]["virtual_hosts"][0]["routes"];
    // But for the one that only reports, the page shows what `migrate` wrote.
    let mut as_written = routes.clone();
    as_written[2]["metadata"]["filter_metadata"]["scopegate"].as_object_mut().unwrap().remove("report_only");
    assert_eq!(*written, as_written);
    *written = routes;
    let address = world.take("enforcing", &enforcing);
    eventually("the keys are there", || world.statuses(address) == with_jwt(401, 200));

    let back = world.take("back", &reporting);
    eventually("the keys are there", || world.statuses(back) == with_jwt(200, 200));

    let (mut new, _) = migrated(&world.files, &old, &["--out", "new"]);
    plugin(&mut new);
    let names: Vec<Value> =
        manager(&mut new)["http_filters"].as_array().unwrap().iter().map(|filter| filter["name"].clone()).collect();
    assert_eq!(names, ["scopegate", "envoy.filters.http.router"]);
    let address = world.take("new", &new);
    eventually("the keys are there", || world.statuses(address) == with_jwt(401, 401));
}

impl World {
    /// Compares what the access log has of a step, once it has that many lines.
    fn compare(&self, step: &str, least: usize) -> Output {
        let of_step = format!("\"step\":\"{step}\"");
        let mut lines = String::new();
        // Envoy writes the access log every ten seconds.
        eventually("the access log", || {
            let log = self.envoy.log();
            let found: Vec<&str> = log.lines().filter(|line| line.contains(&of_step)).collect();
            lines = found.join("\n") + "\n";
            found.len() >= least
        });
        self.files.put_text("access.log", &lines);
        migrate(&["--compare", "access.log"], Path::new(&self.files.path("access.log")).parent().unwrap())
    }
}

/// The lines of a text that the page shows are among those that the program prints, in this order; paths are shortened.
fn assert_shown(shown: &str, printed: &str) {
    let printed = printed.replace("static_resources.listeners[0].filter_chains[0].filters[0].typed_config.", "….");
    let mut lines = printed.lines();
    for line in shown.lines().filter(|line| !line.is_empty() && *line != "…") {
        assert!(lines.any(|other| other == line), "envoy/MIGRATION.md shows {line:?}; the program prints\n{printed}");
    }
}

#[test]
fn the_page_shows_the_report_that_the_program_prints() {
    let files = Folder::new();
    let (_, told) = migrated(&files, &blocks("yaml old")[0], &["--out", "new"]);
    assert_shown(&blocks("text")[0], &told);
}
