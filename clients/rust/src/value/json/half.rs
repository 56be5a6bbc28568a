//! IEEE 754 binary16: one bit of sign, five of exponent, ten of fraction.

/// The smallest number that rounds to infinity: halfway from the largest half to the next.
const OVERFLOW: f64 = 65520.0;
/// The smallest normal half. Those below it are multiples of 2^-24.
const SMALLEST_NORMAL: f64 = 1.0 / 16384.0;

/// The number that the bits stand for.
pub fn from_half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    sign * match (exponent, bits & 0x3ff) {
        (0x1f, 0) => f64::INFINITY,
        (0x1f, _) => f64::NAN,
        (0, _) => fraction * 2f64.powi(-24),
        _ => (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
    }
}

/// The bits of the nearest half, of two that are as near the even one.
pub fn to_half(number: f64) -> u16 {
    let (sign, size) = (u16::from(number.is_sign_negative()) << 15, number.abs());
    if size.is_nan() {
        return sign | 0x7e00;
    }
    if size >= OVERFLOW {
        return sign | 0x7c00;
    }
    if size < SMALLEST_NORMAL {
        // A carry makes the smallest normal half, whose bits are the next.
        return sign | (size * 2f64.powi(24)).round_ties_even() as u16;
    }
    // Exact: the exponent of a double that is normal.
    let exponent = (size.to_bits() >> 52) as i32 - 1023;
    let steps = (size * 2f64.powi(10 - exponent)).round_ties_even() as u16;
    // `steps` is 1024 to 2048; a carry goes on into the exponent.
    sign | ((((exponent + 15) as u16) << 10) + (steps - 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_goes_there_and_back() {
        for bits in 0..=u16::MAX {
            let number = from_half(bits);
            if !number.is_nan() {
                assert_eq!(to_half(number), bits, "{number}");
            }
        }
        assert!(from_half(to_half(f64::NAN)).is_nan());
        assert_eq!(from_half(0x3e00), 1.5);
        assert_eq!(from_half(1), 2f64.powi(-24));
    }

    #[test]
    fn what_lies_between_is_rounded_to_the_even_one() {
        let step = 1.0 / 1024.0;
        assert_eq!(from_half(to_half(1.0 + step / 2.0)), 1.0);
        assert_eq!(from_half(to_half(1.0 + step * 1.5)), 1.0 + 2.0 * step);
        assert_eq!(from_half(to_half(1.99999)), 2.0, "a carry");
        assert_eq!(to_half(6.1034e-5), 0x0400, "the largest below the normal ones");
        assert_eq!(to_half(65519.9), 0x7bff);
        assert_eq!(to_half(-65520.0), 0xfc00);
    }
}
