//! Tables of C functions, filled from a library at run time.

use libloading::Library;

/// Finds the first of `names` in `library` or what it depends on.
///
/// # Safety
/// `T` must be the function pointer type of that symbol.
pub(crate) unsafe fn find<T: Copy>(library: &Library, names: &[&str]) -> Result<T, String> {
    for name in names {
        // SAFETY: the caller vouches for the type.
        if let Ok(symbol) = unsafe { library.get::<T>(name.as_bytes()) } {
            return Ok(*symbol);
        }
    }
    Err(format!("GIMP's library has no function {}", names.join(" or ")))
}

/// Declares a struct of function pointers, each named like its symbol; `= "a" | "b"` lists other names for it.
macro_rules! functions {
    (
        $(#[$meta:meta])*
        $vis:vis $table:ident $(<$handle:ident>)? {
            $( $name:ident $(= $($other:literal)|+)? : fn($($argument:ty),* $(; $variadic:tt)?) $(-> $result:ty)? ; )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy)]
        #[allow(missing_docs)]
        $vis struct $table $(<$handle>)? {
            $( $vis $name: unsafe extern "C" fn($($argument),* $(, $variadic)?) $(-> $result)?, )*
        }

        impl $(<$handle: Copy + 'static>)? $table $(<$handle>)? {
            /// Looks up every function.
            ///
            /// # Errors
            /// Names the first one that is missing.
            pub fn load(library: &libloading::Library) -> Result<Self, String> {
                Ok(Self {
                    // SAFETY: the types follow the headers of GIMP, GEGL, GLib and GTK.
                    $( $name: unsafe {
                        $crate::symbols::find(library, &[stringify!($name) $($(, $other)+)?])?
                    }, )*
                })
            }
        }
    };
}
pub(crate) use functions;
