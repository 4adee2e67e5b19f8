//! The names of the crate's enumerations, which options, files and records use; one table for each.

/// Implements `ALL`, `name`, `Display` and `FromStr` for an enumeration without fields.
///
/// The compiler rejects the match in `name` if a value has no name here.
macro_rules! named {
    ($type:ty, $quantity:literal: $($value:ident = $name:literal),+ $(,)?) => {
        impl $type {
            /// All values, in the order of the declaration.
            pub const ALL: &'static [Self] = &[$(Self::$value),+];

            /// Returns the name, as options and records spell it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $name,)+
                }
            }
        }

        impl core::fmt::Display for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.name())
            }
        }

        impl core::str::FromStr for $type {
            type Err = $crate::Error;

            fn from_str(name: &str) -> Result<Self, $crate::Error> {
                let found = Self::ALL.iter().copied().find(|value| value.name() == name);
                found.ok_or($crate::Error::UnknownName {
                    quantity: $quantity,
                    known: $crate::names::listed!($($name),+),
                })
            }
        }
    };
}

/// Joins the names with commas.
macro_rules! listed {
    ($first:literal $(, $name:literal)*) => {
        concat!($first $(, ", ", $name)*)
    };
}

pub(crate) use {listed, named};
