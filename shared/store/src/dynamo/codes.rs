//! DynamoDB's error codes as faults, verdicts and outcomes. One mapping for every client that speaks its protocol.

use domain::Fault;

use crate::ops::{Item, Verdict, WriteError};

/// The fault of a request that failed with this code.
pub fn fault(code: &str, why: String) -> Fault {
    match code {
        "ThrottlingException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "TransactionConflictException"
        | "TransactionInProgressException"
        | "LimitExceededException" => Fault::Transient(why),
        "ValidationException" | "SerializationException" => Fault::Malformed(why),
        "IdempotentParameterMismatchException" => {
            Fault::Corrupt("one token for two transactions".to_owned())
        }
        _ => Fault::Corrupt(why),
    }
}

/// The verdict on one write of a cancelled transaction. A condition that failed and a conflict come in the same exception.
pub fn verdict(code: &str, message: &str, found: Option<Item>) -> Result<Verdict, Fault> {
    let why = || format!("{code}: {message}");
    match code {
        "" | "None" => Ok(Verdict::Fine),
        "ConditionalCheckFailed" => Ok(Verdict::Condition(found)),
        "TransactionConflict" => Ok(Verdict::Conflict),
        "ThrottlingError" | "ProvisionedThroughputExceeded" => Ok(Verdict::Throttled),
        "ValidationError" | "ItemCollectionSizeLimitExceeded" => Err(Fault::Malformed(why())),
        // Access denied, and codes that are not known yet: the request itself may be right.
        _ => Err(Fault::Corrupt(why())),
    }
}

/// The error of one statement of a batch. A statement without a code may have been executed.
pub fn statement_error(code: &str, message: String, found: Option<Item>) -> WriteError {
    match code {
        "ConditionalCheckFailed" => WriteError::Condition(found),
        "DuplicateItem" => WriteError::Condition(None),
        ""
        | "TransactionConflict"
        | "ThrottlingError"
        | "ProvisionedThroughputExceeded"
        | "RequestLimitExceeded"
        | "InternalServerError" => WriteError::Fault(Fault::Transient(message)),
        "ValidationError" => WriteError::Fault(Fault::Malformed(message)),
        _ => WriteError::Fault(Fault::Corrupt(format!("{code}: {message}"))),
    }
}
