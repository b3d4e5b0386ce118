//! Pane 2: the voices on each symbol.

use std::collections::BTreeMap;

use crate::coordinator::Coordinator;
use crate::coordinator::consensus::Tally;
use crate::coordinator::snapshot::{ConsensusRow, LastSignal, TallyView, VoiceView};
use crate::domain::{Action, Bias, Decision, Now, Regime, SentimentBias, Symbol};

impl Coordinator {
    /// Attention first: held, then locked, then the rest in config order.
    pub(super) fn consensus_view(&self, now: Now) -> Vec<ConsensusRow> {
        // The latest of each symbol, by going once over the decisions rather than once for each symbol.
        let decisions = self.durable.decisions.iter();
        let last: BTreeMap<&Symbol, &Decision> =
            decisions.map(|decision| (&decision.signal.symbol, decision)).collect();
        let symbols = self.setup.symbols.iter();
        let mut rows: Vec<ConsensusRow> =
            symbols.map(|symbol| self.consensus_row(symbol, last.get(symbol).copied(), now)).collect();
        rows.sort_by_key(|row| (!row.held, row.locked.is_none()));
        rows
    }

    fn consensus_row(&self, symbol: &Symbol, decision: Option<&Decision>, now: Now) -> ConsensusRow {
        let last = self.live.voices.last(symbol);
        let freshness = &self.live.ages.voices;
        ConsensusRow {
            symbol: symbol.clone(),
            held: self.durable.account.lots_of(symbol).next().is_some(),
            locked: self.symbol_blocks(symbol, now).into_iter().next(),
            technical: VoiceView::<Bias> {
                says: last.technical.map(|(said, _)| (said.bias, said.confidence)),
                at: last.technical.map(|(_, at)| at),
                fresh_for: freshness.technical,
            },
            regime: VoiceView::<Regime> {
                says: last.regime.map(|(said, _)| (said.regime, said.confidence)),
                at: last.regime.map(|(_, at)| at),
                fresh_for: freshness.regime,
            },
            sentiment: VoiceView::<SentimentBias> {
                says: last.sentiment.map(|(said, _)| (said.bias, said.confidence)),
                at: last.sentiment.map(|(_, at)| at),
                fresh_for: freshness.sentiment,
            },
            buy: tally_view(&self.tally(symbol, Action::Buy, now)),
            sell: tally_view(&self.tally(symbol, Action::Sell, now)),
            price: self.live.prices.mark(symbol).map(|mark| mark.price),
            last_signal: decision.map(|decision| LastSignal {
                at: decision.at,
                action: decision.signal.action,
                confidence: decision.confidence,
                outcome: decision.outcome,
                blocked_by: decision.blocked_by(),
            }),
            history: self
                .live
                .multipliers
                .get(symbol)
                .map(|history| history.iter().copied().collect())
                .unwrap_or_default(),
        }
    }
}

fn tally_view(tally: &Tally) -> TallyView {
    let small = |count: usize| u8::try_from(count).unwrap_or(u8::MAX);
    TallyView { agreeing: small(tally.agreeing), present: small(tally.present), multiplier: tally.multiplier }
}
