//! The attacks the demo mixes in, each as a person or a tool would run it.

use super::benign::{AGENTS, user};
use super::{Line, Random, Request};
use crate::model::Timestamp;

/// One attack and the lines it leaves behind.
#[derive(Clone, Debug)]
pub struct Attack {
    /// What it is, for the summary.
    pub name: &'static str,
    /// A piece of the title of the alert that should tell of it.
    pub seen_as: &'static str,
    /// Whom that title should name.
    pub actor: &'static str,
    /// Its lines in time order.
    pub lines: Vec<Line>,
}

const SECOND: i64 = 1_000_000_000;

const PROBES: &[&str] = &[
    ".env",
    ".git/config",
    "wp-login.php",
    "admin",
    "phpmyadmin",
    "actuator/env",
    "server-status",
    "backup.zip",
    "api/debug",
    "console",
    "config.json",
    ".aws/credentials",
    "swagger.json",
    "graphql",
    "v1/internal",
    "v2/admin",
    "old",
    "test",
    "dump.sql",
    "id_rsa",
    "api/v0/users",
    "metrics",
    "debug/pprof",
    "jenkins",
    "solr",
    "manager/html",
    "cgi-bin/test",
    "owa",
    "ecp",
    "shell",
];

struct Actor<'a> {
    ip: &'a str,
    user: &'a str,
    agent: &'a str,
}

struct Step<'a> {
    method: &'a str,
    path: String,
    route: &'a str,
    status: u16,
    message: &'a str,
    more: String,
}

fn line(random: &mut Random, at: i64, actor: &Actor<'_>, step: Step<'_>) -> Line {
    let (request_id, trace_id) = (random.uuid(), random.hex(32));
    Request {
        at: Timestamp(at),
        service: "gateway",
        method: step.method,
        path: step.path,
        route: step.route,
        status: step.status,
        millis: 3.0 + 20.0 * random.unit(),
        ip: actor.ip,
        user: actor.user,
        agent: actor.agent,
        request_id: &request_id,
        trace_id: &trace_id,
        message: step.message.to_owned(),
        more: step.more,
    }
    .line()
}

fn login(random: &mut Random, at: i64, actor: &Actor<'_>, name: &str, status: u16) -> Line {
    let step = Step {
        method: "POST",
        path: "/v1/login".to_owned(),
        route: "/v1/login",
        status,
        message: if status == 200 {
            "login succeeded"
        } else {
            "login failed"
        },
        more: format!(r#","username":"{name}""#),
    };
    line(random, at, actor, step)
}

/// All attacks of the demo, each beginning a little after `start`.
#[must_use]
pub fn attacks(seed: u64, start: Timestamp) -> Vec<Attack> {
    let mut random = Random::new(seed ^ 0xa77a);
    let at = start.0;
    vec![
        object_enumeration(&mut random, at + 60 * SECOND),
        path_enumeration(&mut random, at + 150 * SECOND),
        user_enumeration(&mut random, at + 260 * SECOND),
        brute_force(&mut random, at + 400 * SECOND),
        function_probe(&mut random, at + 520 * SECOND),
        new_country(&mut random, at + 640 * SECOND),
    ]
}

fn object_enumeration(random: &mut Random, at: i64) -> Attack {
    let (user, ip) = user(23);
    let actor = Actor {
        ip: &ip,
        user: &user,
        agent: "python-requests/2.32.3",
    };
    let lines = (0..140)
        .map(|step| {
            let status = if random.percent(70) { 200 } else { 404 };
            let path = format!("/v1/orders/{}", 20_411 + step);
            let step_line = Step {
                method: "GET",
                path,
                route: "/v1/orders/{id}",
                status,
                message: "order read",
                more: String::new(),
            };
            line(random, at + step * SECOND, &actor, step_line)
        })
        .collect();
    Attack {
        name: "one user walks through order ids",
        seen_as: "bject enumeration",
        actor: "u-1023",
        lines,
    }
}

fn path_enumeration(random: &mut Random, at: i64) -> Attack {
    let actor = Actor {
        ip: "45.83.64.19",
        user: "",
        agent: "Mozilla/5.0 (compatible; probe/1.4)",
    };
    let lines = PROBES
        .iter()
        .zip(0..)
        .map(|(probe, step)| {
            let path = format!("/{probe}");
            let step_line = Step {
                method: "GET",
                path,
                route: "",
                status: 404,
                message: "no such route",
                more: String::new(),
            };
            line(random, at + step * SECOND, &actor, step_line)
        })
        .collect();
    Attack {
        name: "a scanner tries paths",
        seen_as: "ath enumeration",
        actor: "45.83.64.19",
        lines,
    }
}

fn user_enumeration(random: &mut Random, at: i64) -> Attack {
    let actor = Actor {
        ip: "193.32.162.77",
        user: "",
        agent: "Go-http-client/2.0",
    };
    let lines = (0..45)
        .map(|step| {
            login(
                random,
                at + step * SECOND,
                &actor,
                &format!("employee{:03}", step * 3),
                401,
            )
        })
        .collect();
    Attack {
        name: "one address tries many user names",
        seen_as: "ser enumeration",
        actor: "193.32.162.77",
        lines,
    }
}

fn brute_force(random: &mut Random, at: i64) -> Attack {
    let actor = Actor {
        ip: "103.152.220.14",
        user: "",
        agent: "curl/8.9.1",
    };
    let lines = (0..32)
        .map(|step| login(random, at + step * 2 * SECOND, &actor, "u-1004", 401))
        .collect();
    Attack {
        name: "one account's password is guessed",
        seen_as: "rute force",
        actor: "u-1004",
        lines,
    }
}

fn function_probe(random: &mut Random, at: i64) -> Attack {
    let (user, ip) = user(61);
    let actor = Actor {
        ip: &ip,
        user: &user,
        agent: AGENTS.first().copied().unwrap_or_default(),
    };
    let routes = [
        "/v1/admin/users",
        "/v1/admin/roles",
        "/v1/admin/export",
        "/v1/admin/keys",
    ];
    let lines = (0..28)
        .map(|step| {
            let route = *random.pick(&routes);
            let step_line = Step {
                method: "GET",
                path: route.to_owned(),
                route,
                status: 403,
                message: "role admin required",
                more: String::new(),
            };
            line(random, at + step * 3 * SECOND, &actor, step_line)
        })
        .collect();
    Attack {
        name: "a user without the role tries admin routes",
        seen_as: "uthorization failure",
        actor: "u-1061",
        lines,
    }
}

fn new_country(random: &mut Random, at: i64) -> Attack {
    let (user, _) = user(5);
    let actor = Actor {
        ip: "41.58.112.20",
        user: &user,
        agent: AGENTS.get(1).copied().unwrap_or_default(),
    };
    let mut lines = vec![login(random, at, &actor, &user, 200)];
    for step in 1..6 {
        let request = Step {
            method: "GET",
            path: "/v1/users/me".to_owned(),
            route: "/v1/users/me",
            status: 200,
            message: "profile read",
            more: String::new(),
        };
        lines.push(line(random, at + step * 4 * SECOND, &actor, request));
    }
    Attack {
        name: "a known user signs in from a country never seen before",
        seen_as: "country",
        actor: "u-1005",
        lines,
    }
}
