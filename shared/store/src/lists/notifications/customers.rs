//! A customer's notifications: order by order, the newest order first, and of an order the newest notification first.

use jiff::civil::Date;

use super::NotificationFilter;
use crate::engine::Engine;
use crate::instant::sortable;
use crate::notifications::NotificationRecord;
use crate::ops::Query;
use crate::page::{ListError, Listed, Position, REQUESTS};
use crate::pending::attribute;
use crate::retry::Store;
use crate::schema::{BY_CUSTOMER, Table};

/// Orders that one request names. Each takes a request more, for its notifications.
const ORDERS_AT_ONCE: u32 = 10;

/// Where a page goes on: behind an order, or within it.
#[derive(Clone)]
struct Behind {
    created_at: String,
    order_id: String,
    part: Option<String>,
}

impl<E: Engine> Store<E> {
    pub(super) async fn notifications_of_customer(
        &self,
        customer_id: &str,
        filter: &NotificationFilter<'_>,
        days: &[Date],
        limit: usize,
        position: Option<&Position>,
    ) -> Result<Listed<NotificationRecord>, ListError> {
        let mut page = Listed::nothing();
        let mut behind = self.place_of_customer(customer_id, position).await?;
        let mut requests = 0;
        if let Some(within) = behind.clone().filter(|behind| behind.part.is_some()) {
            let rest = self.fill(&mut page, within, filter, days, limit).await?;
            requests += 1;
            match rest {
                Some(within) => {
                    page.next = Some(within.position(customer_id));
                    return Ok(page);
                }
                None => {
                    behind = behind.map(|behind| Behind {
                        part: None,
                        ..behind
                    })
                }
            }
        }
        loop {
            let position = behind.as_ref().map(|behind| behind.position(customer_id));
            if page.items.len() >= limit || requests >= REQUESTS {
                // One that was just full may have been the last all the same.
                page.next = position;
                return Ok(page);
            }
            let query = Query {
                backwards: true,
                limit: Some(ORDERS_AT_ONCE),
                start: position.and_then(|position| position.start(Table::Orders, &BY_CUSTOMER)),
                ..Query::of(Table::Orders, Some(&BY_CUSTOMER), customer_id)
            };
            let found = self.query(&query).await?;
            requests += 1;
            for entry in &found.items {
                let order = Behind {
                    created_at: attribute(entry, BY_CUSTOMER.sort)?,
                    order_id: attribute(entry, Table::Orders.partition())?,
                    part: None,
                };
                if page.items.len() >= limit {
                    page.next = behind.map(|behind| behind.position(customer_id));
                    return Ok(page);
                }
                behind = Some(order.clone());
                let rest = self.fill(&mut page, order, filter, days, limit).await?;
                requests += 1;
                if let Some(within) = rest {
                    page.next = Some(within.position(customer_id));
                    return Ok(page);
                }
            }
            if found.next.is_none() {
                return Ok(page);
            }
        }
    }

    /// Takes what is wanted of an order onto the page, behind a part of it or from its newest on. Returns where it goes on,
    /// where the page is full before the order is at its end.
    async fn fill(
        &self,
        page: &mut Listed<NotificationRecord>,
        behind: Behind,
        filter: &NotificationFilter<'_>,
        days: &[Date],
        limit: usize,
    ) -> Result<Option<Behind>, ListError> {
        let mut records = self.notifications_of(&behind.order_id).await?;
        records.reverse();
        page.read += records.len();
        if let Some(part) = &behind.part {
            let at = records.iter().position(|record| record.part == *part);
            records.drain(..=at.ok_or(ListError::BadPosition)?);
        }
        records.retain(|record| filter.wants(record) && days.contains(&record.day));
        for record in records {
            if page.items.len() >= limit {
                let part = page.items.last().map(|last| last.part.clone());
                return Ok(Some(Behind { part, ..behind }));
            }
            page.items.push(record);
        }
        Ok(None)
    }

    /// An order that a position names has to be one of this customer.
    async fn place_of_customer(
        &self,
        customer_id: &str,
        position: Option<&Position>,
    ) -> Result<Option<Behind>, ListError> {
        let Some(position) = position else {
            return Ok(None);
        };
        let after = position.after()?.filter(|_| position.is_of(customer_id));
        let after = after.ok_or(ListError::BadPosition)?;
        let order = self.order(&after.id).await?;
        let is_his = order.is_some_and(|order| {
            order.customer_id == customer_id && sortable(order.created_at) == after.at
        });
        if !is_his {
            return Err(ListError::BadPosition);
        }
        Ok(Some(Behind {
            created_at: after.at.clone(),
            order_id: after.id.clone(),
            part: after.part.clone(),
        }))
    }
}

impl Behind {
    fn position(&self, customer_id: &str) -> Position {
        Position::behind_entry(
            customer_id,
            &self.created_at,
            &self.order_id,
            self.part.clone(),
        )
    }
}
