//! The store's tables and indexes in the database.

use dynoxide::actions::create_table::CreateTableRequest;
use dynoxide::types::{
    AttributeDefinition, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use dynoxide::{Database, DynoxideError};
use store::schema::{Index, Table};

/// Creates each table that does not exist.
pub fn create(database: &Database) -> Result<(), DynoxideError> {
    for table in Table::ALL {
        if database.get_table_metadata(table.name())?.is_none() {
            database.create_table(definition(table))?;
        }
    }
    Ok(())
}

fn definition(table: Table) -> CreateTableRequest {
    let indexes = table.indexes();
    let mut names = vec![table.partition()];
    names.extend(table.sort());
    names.extend(
        indexes
            .iter()
            .flat_map(|index| [index.partition, index.sort]),
    );
    names.sort_unstable();
    names.dedup();
    let string = |name: &str| AttributeDefinition {
        attribute_name: name.to_owned(),
        attribute_type: ScalarAttributeType::S,
    };
    CreateTableRequest {
        table_name: table.name().to_owned(),
        key_schema: key_schema(table.partition(), table.sort()),
        attribute_definitions: names.into_iter().map(string).collect(),
        global_secondary_indexes: (!indexes.is_empty())
            .then(|| indexes.iter().map(index).collect()),
        billing_mode: Some("PAY_PER_REQUEST".to_owned()),
        ..CreateTableRequest::default()
    }
}

fn index(index: &Index) -> GlobalSecondaryIndex {
    let includes: Vec<String> = index.includes.iter().map(ToString::to_string).collect();
    let projection_type = if includes.is_empty() {
        ProjectionType::KEYS_ONLY
    } else {
        ProjectionType::INCLUDE
    };
    GlobalSecondaryIndex {
        index_name: index.name.to_owned(),
        key_schema: key_schema(index.partition, Some(index.sort)),
        projection: Projection {
            projection_type: Some(projection_type),
            non_key_attributes: (!includes.is_empty()).then_some(includes),
        },
        provisioned_throughput: None,
    }
}

fn key_schema(partition: &str, sort: Option<&str>) -> Vec<KeySchemaElement> {
    let element = |name: &str, key_type| KeySchemaElement {
        attribute_name: name.to_owned(),
        key_type,
    };
    let sort = sort.map(|sort| element(sort, KeyType::RANGE));
    [element(partition, KeyType::HASH)]
        .into_iter()
        .chain(sort)
        .collect()
}
