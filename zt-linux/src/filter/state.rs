//! A filter's table, and what is known of it.

use std::collections::BTreeMap;

use rustix::io::Errno;
use zt_core::desired::Elements;
use zt_core::plan::{Add, Cut, Gate};
use zt_core::time::Anchor;

use super::books::{Books, Moment};
use super::change::Changes;
use super::fingerprint::Fingerprint;
use super::flows::{self, Owners};
use super::installed::Installed;
use super::layout::GATE;
use super::table::{self, Present};
use super::{Counts, FilterConfig, FilterError, Healed, InstallError, Reason, counts, host, routing};
use crate::netlink::{Netlink, NetlinkError};
use crate::nftables::{Attributes, Batch, Nftables, asked, attributes, kind, text, u64_of};

/// A filter's table, and what is known of it.
#[derive(Debug)]
pub(super) struct State {
    config: FilterConfig,
    nftables: Nftables,
    netlink: Netlink,
    /// What is installed; none while that is being changed, and so after a change that failed or was cancelled.
    books: Option<Books>,
    owners: Owners,
    /// What the table looks like if nobody changed it.
    fingerprint: Fingerprint,
    /// The generation of all nftables, and the number of our transactions, when all was seen to be right.
    seen: (u32, u64),
}

impl State {
    pub(super) async fn install(
        config: FilterConfig,
        nftables: Nftables,
        netlink: Netlink,
    ) -> Result<Self, InstallError> {
        host::prepare(&config)?;
        let mut state = Self {
            config,
            nftables,
            netlink,
            books: None,
            owners: Owners::default(),
            fingerprint: Fingerprint::default(),
            seen: (0, 0),
        };
        let present = table::present(&state.nftables, state.name()).await?;
        let mut batch = Batch::default();
        table::write(&state.config, present, &mut batch);
        state.nftables.commit(&batch).await?;
        routing::install(&state.netlink, &state.config).await?;
        if present != Present::Ours {
            flows::forget_in(&state.nftables, &state.config.pools).await?;
            state.owners.complete = true;
        }
        state.fingerprint = Fingerprint::take(&state.nftables, state.name()).await?;
        let (books, _) = state.read().await?;
        state.know(books);
        Ok(state)
    }

    fn name(&self) -> &str {
        &self.config.reserved.table
    }

    fn know(&mut self, books: Books) {
        for (address, held) in &books.sources {
            self.owners.note(*address, (held.until.session, held.until.epoch));
        }
        self.books = Some(books);
    }

    pub(super) async fn change(
        &mut self,
        cuts: &[&Cut],
        additions: &[&Add],
        anchor: Anchor,
    ) -> Result<(), FilterError> {
        let changed = self.commit(cuts, additions, anchor).await;
        if let Err(FilterError::Netlink(_)) = &changed
            && !cuts.is_empty()
        {
            self.close().await?;
        }
        changed
    }

    async fn commit(&mut self, cuts: &[&Cut], additions: &[&Add], anchor: Anchor) -> Result<(), FilterError> {
        let mut books = match self.books.take() {
            Some(books) => books,
            None => self.read().await?.0,
        };
        let strangers = self.owners.strangers(additions);
        let mut cuts = cuts;
        if !strangers.is_empty() {
            // the cuts do not wait for flows to be forgotten; until then the strangers have no source, and open none
            let gone: Vec<Cut> = strangers.iter().copied().map(Cut::Source).collect();
            let first: Vec<&Cut> = cuts.iter().copied().chain(&gone).collect();
            self.write(&mut books, (&first, &[]), Moment { now: host::boot_clock(), anchor }).await?;
            flows::forget_of(&self.nftables, &strangers).await?;
            cuts = &[];
        }
        let moment = Moment { now: host::boot_clock(), anchor };
        let refused = self.write(&mut books, (cuts, additions), moment).await?;
        self.know(books);
        refused.map_or(Ok(()), Err)
    }

    /// One transaction; makes the table anew if it is gone. What was refused is given back.
    async fn write(
        &self,
        books: &mut Books,
        (cuts, additions): (&[&Cut], &[&Add]),
        moment: Moment,
    ) -> Result<Option<FilterError>, NetlinkError> {
        let mut changes = Changes::default();
        cuts.iter().for_each(|cut| books.cut(cut, moment, &mut changes));
        let refused = additions.iter().enumerate().find_map(|(at, add)| {
            let problem = books.add(add, moment, &mut changes).err()?.to_string();
            Some(FilterError::Refused { at, problem })
        });
        let mut batch = Batch::default();
        changes.write(self.name(), &mut batch);
        match self.nftables.commit(&batch).await {
            Err(error) if error.is(Errno::NOENT) => self.rebuild(books).await?,
            written => written?,
        }
        Ok(refused)
    }

    /// Makes the table anew with all that it is to have, in one transaction.
    async fn rebuild(&self, books: &Books) -> Result<(), NetlinkError> {
        let found =
            self.nftables.get(asked(kind::GET_TABLE), &Attributes::new().text(1, self.name())).await?;
        let present = if found.is_some() { Present::Other } else { Present::Nothing };
        let mut batch = Batch::default();
        table::write(&self.config, present, &mut batch);
        books.all(host::boot_clock()).write(self.name(), &mut batch);
        self.nftables.commit(&batch).await
    }

    /// The last resort: closes the gate, whatever else there is. Without its table nothing passes anyway.
    async fn close(&self) -> Result<(), NetlinkError> {
        let mut batch = Batch::default();
        batch.flush_set(self.name(), GATE);
        match self.nftables.commit(&batch).await {
            Err(error) if error.is(Errno::NOENT) => Ok(()),
            closed => closed,
        }
    }

    pub(super) async fn observe(&mut self) -> Result<(Gate, Elements), FilterError> {
        self.books = None;
        let (books, _) = self.read().await?;
        let installed = books.elements(host::boot_clock());
        self.know(books);
        Ok(installed)
    }

    /// What the sets have, and whether something strange had to be taken away.
    async fn read(&self) -> Result<(Books, bool), NetlinkError> {
        let mut installed = Installed::read(&self.nftables, self.name(), host::boot_clock()).await?;
        let strange = installed.is_strange();
        if strange {
            let mut batch = Batch::default();
            installed.purge(self.name(), &mut batch);
            self.nftables.commit(&batch).await?;
            installed = Installed::read(&self.nftables, self.name(), host::boot_clock()).await?;
        }
        Ok((installed.books, strange))
    }

    pub(super) async fn heal(&mut self) -> Result<Healed, InstallError> {
        let mut healed = Healed { settings: host::prepare(&self.config)?, ..Healed::default() };
        healed.routing = routing::install(&self.netlink, &self.config).await?;
        let seen = (self.generation().await?, self.nftables.transactions());
        // each of our transactions is a generation
        let own = seen.1.wrapping_sub(self.seen.1);
        if u64::from(seen.0.wrapping_sub(self.seen.0)) == own && self.books.is_some() {
            self.seen = seen;
            return Ok(healed);
        }
        let as_it_was = Fingerprint::take(&self.nftables, self.name()).await? == self.fingerprint;
        let known = self.books.take();
        let found = if as_it_was { Some(self.read().await?) } else { None };
        let books = match (known, found) {
            (Some(known), Some((found, strange))) if found.is_same(&known, host::boot_clock()) => {
                healed.table = strange;
                known
            }
            (None, Some((found, strange))) => {
                healed.table = strange;
                found
            }
            // of what nothing is known, nothing is to be there, and that is closed
            (known, _) => {
                healed.table = true;
                let known = known.unwrap_or_default();
                self.rebuild(&known).await?;
                known
            }
        };
        self.know(books);
        self.seen = (self.generation().await?, self.nftables.transactions());
        Ok(healed)
    }

    async fn generation(&self) -> Result<u32, NetlinkError> {
        let found = self.nftables.get(asked(kind::GET_GENERATION), &Attributes::new()).await?;
        let id = found.as_deref().and_then(|found| attributes(found).find(|(kind, _)| *kind == 1));
        Ok(id.and_then(|(_, id)| id.try_into().ok()).map_or(0, u32::from_be_bytes))
    }

    pub(super) async fn counts(&self) -> Result<Counts, FilterError> {
        let body = Attributes::new().text(1, self.name());
        let keep = |message: &[u8]| {
            let find = |wanted| attributes(message).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
            let name = text(find(2)?)?.to_owned();
            let packets =
                attributes(find(4)?).find(|(kind, _)| *kind == 2).and_then(|(_, value)| u64_of(value));
            Some((name, packets?))
        };
        let counters: BTreeMap<String, u64> =
            self.nftables.list(asked(kind::GET_OBJECT), &body, keep).await?.into_iter().collect();
        let count = |name: &str| counters.get(name).copied().unwrap_or(0);
        let dropped = Reason::ALL.into_iter().map(|reason| (reason, count(reason.counter())));
        Ok(Counts { passed: count(counts::PASSED), dropped: dropped.collect() })
    }
}
