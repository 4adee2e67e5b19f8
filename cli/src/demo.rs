//! placeholder
use crate::error::Failure;
use crate::options::DemoOptions;
/// x
/// # Errors
/// x
pub fn run(_: &DemoOptions) -> Result<(), Failure> {
    Ok(())
}
