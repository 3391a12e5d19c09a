//! Slots of a trial -> pods.

use crate::kinds::cluster::OnUneven;

/// Equal pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// How many pods; at least one.
    pub pods: u32,
    /// The slots of each.
    pub slots: u32,
}

/// Why a number of slots does not split, and the nearest numbers that do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{need} slots do not split into pods of {max}")]
pub struct Uneven {
    /// What was asked for.
    pub need: u32,
    /// The most slots of one pod.
    pub max: u32,
    /// The largest size below that splits.
    pub below: u32,
    /// The smallest size above that splits.
    pub above: u32,
}

/// Splits `need` slots into equal pods of at most `max` slots.
///
/// No slots are one pod without any; up to `max` is one pod; a multiple of `max` is pods of `max`.
/// What is neither is refused, or under [`OnUneven::Shrink`] becomes pods of the largest divisor
/// that is at most `max`. A `max` of 0 counts as 1.
pub fn split(need: u32, max: u32, on_uneven: OnUneven) -> Result<Split, Uneven> {
    let max = max.max(1);
    if need <= max {
        return Ok(Split {
            pods: 1,
            slots: need,
        });
    }
    if need.is_multiple_of(max) {
        return Ok(Split {
            pods: need / max,
            slots: max,
        });
    }
    match on_uneven {
        OnUneven::Shrink => {
            let slots = (1..=max)
                .rev()
                .find(|size| need.is_multiple_of(*size))
                .unwrap_or(1);
            Ok(Split {
                pods: need / slots,
                slots,
            })
        }
        OnUneven::Refuse => {
            let below = need - need % max;
            Err(Uneven {
                need,
                max,
                below,
                above: below.saturating_add(max),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn splits_as_the_table_says() {
        let table = [
            (0, 8, 1, 0),
            (1, 8, 1, 1),
            (8, 8, 1, 8),
            (16, 8, 2, 8),
            (24, 8, 3, 8),
            (3, 1, 3, 1),
        ];
        for (need, max, pods, slots) in table {
            assert_eq!(
                split(need, max, OnUneven::Refuse),
                Ok(Split { pods, slots })
            );
        }
    }

    #[test]
    fn names_the_nearest_sizes() {
        let uneven = split(10, 8, OnUneven::Refuse).unwrap_err();
        assert_eq!((uneven.below, uneven.above), (8, 16));
        assert_eq!(
            split(10, 8, OnUneven::Shrink),
            Ok(Split { pods: 2, slots: 5 })
        );
        assert_eq!(
            split(13, 8, OnUneven::Shrink),
            Ok(Split { pods: 13, slots: 1 })
        );
    }

    proptest! {
        #[test]
        fn no_slot_is_lost(need in 0u32..5000, max in 1u32..100) {
            for rule in [OnUneven::Refuse, OnUneven::Shrink] {
                match split(need, max, rule) {
                    Ok(parts) => {
                        prop_assert_eq!(parts.pods * parts.slots, need);
                        prop_assert!(parts.slots <= max && parts.pods >= 1);
                    }
                    Err(uneven) => {
                        prop_assert_eq!(rule, OnUneven::Refuse);
                        prop_assert!(uneven.below < need && need < uneven.above);
                        prop_assert!(split(uneven.below, max, rule).is_ok());
                        prop_assert!(split(uneven.above, max, rule).is_ok());
                    }
                }
            }
        }
    }
}
