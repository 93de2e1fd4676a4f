//! Legal holds: times whose events are neither deleted by age and size nor erased.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::engine::Table;
use super::tx::Tx;
use super::{Error, Store, ids};
use crate::model::{Timestamp, rfc3339, rfc3339_option};

const HOLDS: &[u8] = b"legal_holds";
/// Holds at once.
const HOLDS_MAX: usize = 100;

/// What must be kept, whatever retention says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LegalHold {
    /// `hld_` and 26 characters.
    pub id: String,
    /// Why: a case, a ticket.
    pub reason: String,
    /// Who asked for it.
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "rfc3339")]
    pub created_at: Timestamp,
    /// Events received from then on; all older ones where missing.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(with = "rfc3339_option", default)]
    pub from: Option<Timestamp>,
    /// Events received until then; all newer ones, those to come too, where missing.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(with = "rfc3339_option", default)]
    pub to: Option<Timestamp>,
}

impl Store {
    /// All legal holds, the oldest first.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub fn legal_holds(&self) -> Result<Vec<LegalHold>, Error> {
        self.view(read)
    }

    /// Puts a hold on a time; the id and the time of making are given here.
    ///
    /// # Errors
    /// [`Error::Full`] at the bound.
    pub fn add_legal_hold(&self, mut hold: LegalHold) -> Result<LegalHold, Error> {
        hold.created_at = self.0.clock.now();
        hold.id = ids::fresh("hld_", hold.created_at)?;
        self.update(|tx| {
            let mut holds = read(tx)?;
            if holds.len() >= HOLDS_MAX {
                let max = u64::try_from(HOLDS_MAX).unwrap_or(u64::MAX);
                let what = "legal holds; lift one first";
                return Err(Error::Full { what, max });
            }
            holds.push(hold.clone());
            tx.put_record(Table::Meta, HOLDS, &holds)
        })?;
        Ok(hold)
    }

    /// Lifts a hold.
    ///
    /// # Errors
    /// [`Error::Missing`] where there is none of the id.
    pub fn lift_legal_hold(&self, id: &str) -> Result<LegalHold, Error> {
        self.update(|tx| {
            let mut holds = read(tx)?;
            let at = holds.iter().position(|hold| hold.id == id);
            let hold = holds.remove(at.ok_or(Error::Missing("legal hold"))?);
            tx.put_record(Table::Meta, HOLDS, &holds)?;
            Ok(hold)
        })
    }
}

fn read(tx: &Tx<'_>) -> Result<Vec<LegalHold>, Error> {
    Ok(tx.record(Table::Meta, HOLDS)?.unwrap_or_default())
}
