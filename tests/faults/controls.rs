//! Each check is shown what it must not let pass.
