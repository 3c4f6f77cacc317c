//! A fault as the Lambda service reports it: the state machine's retriers see its name, not a Rust type's.

use domain::Fault;
use lambda_runtime::Diagnostic;

#[derive(Debug)]
pub struct Failure(pub Fault);

impl From<Failure> for Diagnostic {
    fn from(Failure(fault): Failure) -> Diagnostic {
        Diagnostic {
            error_type: fault.name().to_owned(),
            error_message: fault.message().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_machine_sees_the_name_of_the_fault() {
        let diagnostic = Diagnostic::from(Failure(Fault::Transient("no answer".to_owned())));
        assert_eq!(
            (
                diagnostic.error_type.as_str(),
                diagnostic.error_message.as_str()
            ),
            ("Transient", "no answer")
        );
    }
}
