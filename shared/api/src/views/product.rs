//! A product and its stock.

use domain::Currency;
use serde::Serialize;
use store::products::ProductRecord;
use utoipa::ToSchema;

use super::segment;
use crate::base::link;
use crate::money::{CurrencyCode, text};

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Product {
    pub sku: String,
    pub url: String,
    pub name: String,
    pub price: String,
    #[schema(value_type = CurrencyCode)]
    pub currency: Currency,
    /// Always what is available, reserved and sold.
    pub stocked: u64,
    pub available: u64,
    pub reserved: u64,
    pub sold: u64,
}

impl From<&ProductRecord> for Product {
    fn from(product: &ProductRecord) -> Product {
        Product {
            sku: product.sku.clone(),
            url: link(&format!("/products/{}", segment(&product.sku))),
            name: product.name.clone(),
            price: text(product.price, product.currency),
            currency: product.currency,
            stocked: product.stocked,
            available: product.available,
            reserved: product.reserved,
            sold: product.sold,
        }
    }
}
