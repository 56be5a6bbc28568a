//! Tensors of native numbers, there and back.

use bytes::Bytes;

use super::Tensor;

/// A native type that the elements of a [`Tensor`] can have. What Rust has no type
/// for (float16, complex) is read from the tensor's `data`.
pub trait Element: Copy + sealed::Sealed {
    /// Its name in numpy, and in `Tensor::dtype`.
    const DTYPE: &'static str;
}

/// The elements of a tensor are of another type than the one that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the elements of the tensor are {found}, not {expected}")]
pub struct WrongDtype {
    /// What was asked for.
    pub expected: &'static str,
    /// What the tensor has.
    pub found: String,
}

mod sealed {
    pub trait Sealed: Sized {
        fn write(self, into: &mut Vec<u8>);
        /// From as many bytes as the type has.
        fn read(bytes: &[u8]) -> Self;
    }
}

macro_rules! elements {
    ($($native:ident: $dtype:literal,)*) => {$(
        impl Element for $native {
            const DTYPE: &'static str = $dtype;
        }

        impl sealed::Sealed for $native {
            fn write(self, into: &mut Vec<u8>) {
                into.extend_from_slice(&self.to_le_bytes());
            }

            fn read(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("an element's bytes"))
            }
        }
    )*};
}

elements! {
    i8: "int8", i16: "int16", i32: "int32", i64: "int64",
    u8: "uint8", u16: "uint16", u32: "uint32", u64: "uint64",
    f32: "float32", f64: "float64",
}

impl Element for bool {
    const DTYPE: &'static str = "bool";
}

impl sealed::Sealed for bool {
    fn write(self, into: &mut Vec<u8>) {
        into.push(self.into());
    }

    fn read(bytes: &[u8]) -> Self {
        bytes != [0]
    }
}

impl Tensor {
    /// A tensor of these elements, the last dimension varying fastest. Whether they
    /// are as many as `shape` says is found out when it is sent.
    pub fn new<T: Element>(elements: &[T], shape: &[i64]) -> Self {
        let mut data = Vec::with_capacity(size_of_val(elements));
        elements.iter().for_each(|element| element.write(&mut data));
        Self { dtype: T::DTYPE.to_owned(), shape: shape.to_owned(), data: Bytes::from(data) }
    }

    /// A copy of its elements, the last dimension varying fastest.
    ///
    /// # Errors
    /// They are of another type.
    pub fn elements<T: Element>(&self) -> Result<Vec<T>, WrongDtype> {
        if self.dtype != T::DTYPE {
            return Err(WrongDtype { expected: T::DTYPE, found: self.dtype.clone() });
        }
        Ok(self.data.chunks_exact(size_of::<T>()).map(T::read).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn there_and_back<T: Element + PartialEq + std::fmt::Debug>(elements: [T; 2]) {
        let tensor = Tensor::new(&elements, &[2, 1]);
        assert_eq!(Value::from(tensor.clone()).validate(), Ok(()), "{}", T::DTYPE);
        assert_eq!(tensor.elements::<T>(), Ok(elements.to_vec()));
    }

    #[test]
    fn every_type_of_element_goes_there_and_back() {
        there_and_back([i8::MIN, 1]);
        there_and_back([i16::MIN, 1]);
        there_and_back([i32::MIN, 1]);
        there_and_back([i64::MIN, 1]);
        there_and_back([u8::MAX, 1]);
        there_and_back([u16::MAX, 1]);
        there_and_back([u32::MAX, 1]);
        there_and_back([u64::MAX, 1]);
        there_and_back([f32::MIN, 1.5]);
        there_and_back([f64::MIN, 1.5]);
        there_and_back([true, false]);
        assert_eq!(Tensor::new(&[0x0102_u16], &[1]).data.as_ref(), [2, 1], "little-endian");
    }

    #[test]
    fn elements_of_another_type_are_refused() {
        let error = Tensor::new(&[1.5_f32], &[1]).elements::<f64>().expect_err("float32");
        assert_eq!(error.to_string(), "the elements of the tensor are float32, not float64");
    }
}
