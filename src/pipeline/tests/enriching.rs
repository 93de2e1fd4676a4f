use super::mmdb::{Data, file};
use super::*;

fn country(code: &'static str) -> Data {
    Data::Map(vec![("country_code", Data::Text(code))])
}

fn leak(bytes: Vec<u8>) -> &'static [u8] {
    Box::leak(bytes.into_boxed_slice())
}

/// The enriched fields of one event with this client.
fn fields(pipeline: &Pipeline, address: &str) -> String {
    let body = format!("{{\"client_ip\":\"{address}\"}}");
    let output = run(pipeline, &payload(Format::Auto, body));
    let fields = [
        Field::NetworkClass,
        Field::ClientCountry,
        Field::ClientCity,
        Field::ClientAsn,
        Field::ClientAsOrg,
    ];
    let shown: Vec<_> = fields
        .into_iter()
        .map(|field| values(&output, field).concat())
        .collect();
    shown.join("|")
}

#[test]
fn the_built_in_database_gives_countries() {
    let built_in = leak(file(vec![
        ("8.8.0.0/16", country("US")),
        ("9.0.0.0/8", country("de")),
    ]));
    let pipeline = pipeline_with(&Options::default(), Some(built_in));
    assert_eq!(fields(&pipeline, "8.8.8.8"), "public|US|||");
    assert_eq!(
        fields(&pipeline, "8.8.8.8"),
        "public|US|||",
        "from the cache"
    );
    assert_eq!(fields(&pipeline, "9.1.2.3"), "public|DE|||");
    assert_eq!(fields(&pipeline, "11.0.0.1"), "public||||");
    assert_eq!(fields(&pipeline, "10.0.0.1"), "private||||");
    assert_eq!(fields(&pipeline, "not an address"), "||||");
    assert_eq!(fields(&pipeline, "2606:4700::1111"), "public||||");
}

#[test]
fn maxmind_files_give_city_and_network() {
    let folder = tempfile::tempdir().unwrap();
    let names = Data::Map(vec![("names", Data::Map(vec![("en", Data::Text("Oslo"))]))]);
    let iso = Data::Map(vec![("iso_code", Data::Text("NO"))]);
    let city = file(vec![(
        "8.8.0.0/16",
        Data::Map(vec![("city", names), ("country", iso)]),
    )]);
    let network = Data::Map(vec![
        ("autonomous_system_number", Data::Number(15169)),
        ("autonomous_system_organization", Data::Text("Example Net")),
    ]);
    let asn = file(vec![("8.8.8.0/24", network)]);
    std::fs::write(folder.path().join("city.mmdb"), city).unwrap();
    std::fs::write(folder.path().join("asn.mmdb"), asn).unwrap();
    let mut options = Options::default();
    options.enrich.city_db = Some(folder.path().join("city.mmdb"));
    options.enrich.asn_db = Some(folder.path().join("asn.mmdb"));
    let pipeline = pipeline_with(&options, None);
    assert_eq!(
        fields(&pipeline, "8.8.8.8"),
        "public|NO|Oslo|15169|Example Net"
    );
}

#[test]
fn changed_files_are_read_again_and_broken_ones_are_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("country.mmdb");
    std::fs::write(&path, file(vec![("8.8.0.0/16", country("US"))])).unwrap();
    let mut options = Options::default();
    options.enrich.country_db = Some(path.clone());
    let metrics = Arc::new(Metrics::default());
    let enricher = Enricher::open(options.enrich.clone(), None, metrics.clone()).unwrap();
    let redactor = Redactor::new(redact::Options::default(), TagKey::from_bytes(&[7; 32]));
    let pipeline = Pipeline::new(
        &options,
        enricher.clone(),
        Arc::new(redactor),
        metrics.clone(),
    );
    assert_eq!(fields(&pipeline, "8.8.8.8"), "public|US|||");
    assert!(!enricher.check(), "nothing changed");

    let two = file(vec![
        ("8.8.0.0/16", country("FR")),
        ("9.0.0.0/8", country("DE")),
    ]);
    std::fs::write(&path, two).unwrap();
    assert!(enricher.check());
    assert_eq!(fields(&pipeline, "8.8.8.8"), "public|FR|||");

    std::fs::write(&path, b"no database").unwrap();
    assert!(!enricher.check());
    assert_eq!(fields(&pipeline, "8.8.8.8"), "public|FR|||");
    assert_eq!(
        (metrics.enrich_reloads.get(), metrics.enrich_failures.get()),
        (1, 1)
    );
    assert!(Enricher::open(options.enrich, None, metrics).is_err());
}

#[test]
fn what_the_source_says_stays() {
    let built_in = leak(file(vec![("8.8.0.0/16", country("US"))]));
    let pipeline = pipeline_with(&Options::default(), Some(built_in));
    let body = r#"{"client_ip":"8.8.8.8","cf-ipcountry":"NZ"}"#;
    let output = run(&pipeline, &payload(Format::Auto, body));
    assert_eq!(values(&output, Field::ClientCountry), ["NZ"]);
}
