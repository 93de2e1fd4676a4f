//! Where a client is: country, city and network by its address, from MMDB files.
//!
//! MaxMind's own schema and the flat one of ip-location-db are both read. Files are looked at once
//! a second and read again when they changed; one that cannot be read leaves the old one in place
//! and is counted.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use maxminddb::{PathElement, Reader};
use serde::Deserialize;

use super::network;
use crate::metrics::Metrics;
use crate::model::{Event, Field, FieldName, Value, text_of};
use crate::tasks::Tasks;

/// How often files are looked at.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// How often the thread that does so asks whether it should end.
const NAP: Duration = Duration::from_millis(100);

/// Settings of enrichment.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// MMDB file with countries, in place of the built-in one.
    pub country_db: Option<PathBuf>,
    /// MMDB file with autonomous systems.
    pub asn_db: Option<PathBuf>,
    /// MMDB file with cities (and countries).
    pub city_db: Option<PathBuf>,
    /// Answers of the databases that are remembered; many addresses share one.
    pub cached_places_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            country_db: None,
            asn_db: None,
            city_db: None,
            cached_places_max: 65_536,
        }
    }
}

/// An address database could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("address database cannot be read")]
    Io(#[from] std::io::Error),
    /// The file is no MMDB file.
    #[error("address database is damaged or of another format")]
    Format(#[source] maxminddb::MaxMindDbError),
}

/// Bytes of a database: read from a file, or built in.
struct Data(Cow<'static, [u8]>);

impl AsRef<[u8]> for Data {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

type Database = Reader<Data>;
type Found<'d> = maxminddb::LookupResult<'d, Data>;

/// A file as it was when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
}

/// The databases of one moment, with the answers they gave.
struct Databases {
    country: Option<Arc<Database>>,
    asn: Option<Arc<Database>>,
    city: Option<Arc<Database>>,
    cache: RwLock<HashMap<Records, Place, foldhash::fast::RandomState>>,
    cached_places_max: usize,
}

/// Where the records of an address stand in the databases: of city, country and network.
type Records = [Option<usize>; 3];

/// What the databases say of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Place {
    country: Option<&'static str>,
    city: Option<Arc<str>>,
    asn: Option<u32>,
    organization: Option<Arc<str>>,
}

/// Looks addresses up. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Enricher(Arc<Inner>);

struct Inner {
    options: Options,
    built_in: Option<&'static [u8]>,
    metrics: Arc<Metrics>,
    now: RwLock<Arc<Databases>>,
    stamps: Mutex<[Option<Stamp>; 3]>,
}

impl std::fmt::Debug for Enricher {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Enricher").finish_non_exhaustive()
    }
}

impl Enricher {
    /// Reads the databases; `built_in` is the country database where the options name none.
    pub fn open(
        options: Options,
        built_in: Option<&'static [u8]>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Error> {
        let stamps = options.paths().map(|path| path.and_then(stamp));
        let databases = Databases::open(&options, built_in)?;
        Ok(Self(Arc::new(Inner {
            options,
            built_in,
            metrics,
            now: RwLock::new(Arc::new(databases)),
            stamps: Mutex::new(stamps),
        })))
    }

    /// Starts the thread that watches the files; nothing to watch, no thread.
    pub fn start(&self, tasks: &Tasks) -> std::io::Result<()> {
        if self.0.options.paths().iter().all(Option::is_none) {
            return Ok(());
        }
        let enricher = self.clone();
        tasks.thread("enrich", move |shutdown| {
            let mut waited = Duration::ZERO;
            while !shutdown.is_requested() {
                std::thread::sleep(NAP);
                waited += NAP;
                if waited >= CHECK_EVERY {
                    waited = Duration::ZERO;
                    enricher.check();
                }
            }
        })
    }

    /// Reads the files again if one of them changed. Blocks; returns whether it read them.
    pub fn check(&self) -> bool {
        let inner = &self.0;
        let found = inner.options.paths().map(|path| path.and_then(stamp));
        {
            let mut known = inner.stamps.lock().unwrap_or_else(PoisonError::into_inner);
            if *known == found {
                return false;
            }
            *known = found;
        }
        self.reload().is_ok()
    }

    /// Reads the files now. On an error what was read before stays in use.
    pub fn reload(&self) -> Result<(), Error> {
        let inner = &self.0;
        match Databases::open(&inner.options, inner.built_in) {
            Ok(databases) => {
                *inner.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(databases);
                inner.metrics.enrich_reloads.inc();
                Ok(())
            }
            Err(error) => {
                inner.metrics.enrich_failures.inc();
                tracing::warn!(%error, "address databases not reloaded, the old ones stay");
                Err(error)
            }
        }
    }

    /// The databases of this moment, for the events of one payload.
    pub(super) fn view(&self) -> View {
        View(
            self.0
                .now
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        )
    }
}

impl Options {
    fn paths(&self) -> [Option<&Path>; 3] {
        [&self.country_db, &self.asn_db, &self.city_db].map(Option::as_deref)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let meta = std::fs::metadata(path).ok()?;
    Some(Stamp {
        modified: meta.modified().ok(),
        bytes: meta.len(),
    })
}

/// The databases of one moment.
pub(super) struct View(Arc<Databases>);

impl View {
    /// Adds what is known of the client's address; what the source said itself stays.
    pub(super) fn enrich(&self, event: &mut Event<'_>) {
        let mut address = None;
        let mut has = [false; 4];
        for (name, value) in event.fields() {
            match name {
                FieldName::Known(Field::ClientIp) if address.is_none() => {
                    address = text_of(value).and_then(|text| text.parse::<IpAddr>().ok());
                }
                FieldName::Known(Field::ClientCountry) => has[0] = true,
                FieldName::Known(Field::ClientCity) => has[1] = true,
                FieldName::Known(Field::ClientAsn) => has[2] = true,
                FieldName::Known(Field::ClientAsOrg) => has[3] = true,
                _ => {}
            }
        }
        let Some(address) = address else {
            return;
        };
        let class = network::class(address);
        event.push_str(Field::NetworkClass, class);
        if class != "public" {
            return;
        }
        let [country, city, asn, organization] = has;
        let place = self.0.place(address);
        if let Some(code) = place.country.filter(|_| !country) {
            event.push_str(Field::ClientCountry, code);
        }
        if let Some(name) = place.city.filter(|_| !city) {
            event.push_str(Field::ClientCity, name.to_string());
        }
        if let Some(number) = place.asn.filter(|_| !asn) {
            event.push(Field::ClientAsn, Value::Num(number.to_string().into()));
        }
        if let Some(name) = place.organization.filter(|_| !organization) {
            event.push_str(Field::ClientAsOrg, name.to_string());
        }
    }
}

impl Databases {
    fn open(options: &Options, built_in: Option<&'static [u8]>) -> Result<Self, Error> {
        let read = |path: &Option<PathBuf>| match path {
            Some(path) => open(Cow::Owned(std::fs::read(path)?)).map(Some),
            None => Ok(None),
        };
        let country = match (read(&options.country_db)?, built_in) {
            (None, Some(bytes)) => Some(open(Cow::Borrowed(bytes))?),
            (found, _) => found,
        };
        Ok(Self {
            country,
            asn: read(&options.asn_db)?,
            city: read(&options.city_db)?,
            cache: RwLock::default(),
            cached_places_max: options.cached_places_max,
        })
    }

    /// One walk down each database's tree leads to a record, which is decoded once: of many addresses there
    /// are few records.
    fn place(&self, address: IpAddr) -> Place {
        let found = [&self.city, &self.country, &self.asn].map(|database| found(database, address));
        let records = found.each_ref().map(|found| found.as_ref()?.offset());
        if records == [None; 3] {
            return Place::default();
        }
        let cache = self.cache.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = cache.get(&records) {
            return place.clone();
        }
        drop(cache);
        let place = read(&found);
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= self.cached_places_max {
            // It begins anew: no bookkeeping on hits, and what is asked for often is back at once.
            cache.clear();
        }
        cache.insert(records, place.clone());
        place
    }
}

/// What the records say.
fn read([city, country, asn]: &[Option<Found<'_>>; 3]) -> Place {
    let code: &[&[&'static str]] = &[&["country", "iso_code"], &["country_code"], &["country"]];
    let code: Option<String> = value(city, code).or_else(|| value(country, code));
    let number: &[&[&'static str]] = &[&["autonomous_system_number"], &["asn"]];
    let organization: &[&[&'static str]] = &[&["autonomous_system_organization"], &["as_name"]];
    Place {
        country: code.as_deref().and_then(network::country),
        city: value::<String>(city, &[&["city", "names", "en"], &["city"]]).map(Arc::from),
        asn: value(asn, number).or_else(|| value(country, number)),
        organization: value::<String>(asn, organization)
            .or_else(|| value(country, organization))
            .map(Arc::from),
    }
}

fn open(bytes: Cow<'static, [u8]>) -> Result<Arc<Database>, Error> {
    Reader::from_source(Data(bytes))
        .map(Arc::new)
        .map_err(Error::Format)
}

fn found(database: &Option<Arc<Database>>, address: IpAddr) -> Option<Found<'_>> {
    database.as_deref()?.lookup(address).ok()
}

/// The first of the paths that leads to a value of the type.
fn value<'d, T: Deserialize<'d>>(
    found: &Option<Found<'d>>,
    paths: &[&[&'static str]],
) -> Option<T> {
    let found = found.as_ref().filter(|found| found.has_data())?;
    paths.iter().find_map(|path| {
        let path: Vec<_> = path.iter().map(|key| PathElement::Key(key)).collect();
        found.decode_path::<T>(&path).ok().flatten()
    })
}
