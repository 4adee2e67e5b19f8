//! Names of the crate's enumerations, one table each: what programs, files and records call their values.

/// Implements `ALL`, `name`, `Display` and `FromStr` for an enumeration without fields.
///
/// The match in `name` makes the compiler find a value that has no name here.
macro_rules! named {
    ($type:ty, $quantity:literal: $($value:ident = $name:literal),+ $(,)?) => {
        impl $type {
            /// All values, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$value),+];

            /// The name, as programs and records spell it.
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

/// The names with commas between them.
macro_rules! listed {
    ($first:literal $(, $name:literal)*) => {
        concat!($first $(, ", ", $name)*)
    };
}

pub(crate) use {listed, named};
