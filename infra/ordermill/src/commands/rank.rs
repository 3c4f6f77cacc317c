//! `rank`: where a customer stands among all of them.

use anyhow::{Result, bail};
use domain::limits::KEY_BYTES;
use futures::future::try_join_all;
use serde_json::json;

use crate::cli::Global;
use crate::cli::figures::Rank;
use crate::cloud::Stack;
use crate::output;

pub async fn run(global: &Global, stack: &Stack, options: &Rank) -> Result<bool> {
    let (store, customer_id) = (stack.store()?, options.customer.as_str());
    // What can be no id is nobody's.
    let is_id = (1..=KEY_BYTES).contains(&customer_id.len());
    let currencies = match options.currency {
        _ if !is_id => Vec::new(),
        Some(currency) => vec![currency],
        None => store.currencies().await?,
    };
    let ranks = currencies.iter().map(async |currency| {
        let rank = store.rank(customer_id, *currency).await?;
        Ok::<_, domain::Fault>(rank.map(|rank| (*currency, rank)))
    });
    let ranks: Vec<_> = try_join_all(ranks).await?.into_iter().flatten().collect();
    if ranks.is_empty() {
        let currency = options.currency.map(|currency| format!(" in {currency}"));
        bail!(
            "no customer {} bought anything{}",
            output::plain(customer_id),
            currency.unwrap_or_default()
        );
    }
    let contact = store.customer(customer_id).await?;
    let name = contact.and_then(|contact| contact.name);
    if global.json {
        let ranks = ranks.iter().map(|(currency, rank)| {
            let spend = &rank.customer.spend;
            json!({
                "currency": currency, "rank": rank.rank, "of": rank.of,
                "total_spent": output::amount(spend.amount, *currency), "order_count": spend.orders,
            })
        });
        let ranks: Vec<_> = ranks.collect();
        output::json(&json!({"customer_id": customer_id, "customer_name": name, "ranks": ranks}))?;
        return Ok(true);
    }
    let name = name.map(|name| format!(", {}", output::plain(&name)));
    outln!(
        "{}{}\n",
        output::plain(customer_id),
        name.unwrap_or_default()
    );
    let rows = ranks.iter().map(|(currency, rank)| {
        let spend = &rank.customer.spend;
        [
            currency.to_string(),
            rank.rank.to_string(),
            rank.of.to_string(),
            spend.orders.to_string(),
            output::amount(spend.amount, *currency),
        ]
    });
    let header = ["currency", "rank", "of", "orders", "spent"];
    outln!("{}", output::table(&header, &[1, 2, 3, 4], rows));
    Ok(true)
}
