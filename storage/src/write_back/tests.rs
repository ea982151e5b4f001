const MIB: usize = 1 << 20;

#[test]
fn what_is_in_memory_only_stays_below_half_of_it() {
    let check = |used: usize, max: usize, expected: usize| assert_eq!(super::kept_in_memory(used, max), expected);
    check(0, 128 * MIB, 64 * MIB);
    check(96 * MIB, 128 * MIB, 64 * MIB);
    // Short of it: older things first.
    check(97 * MIB, 128 * MIB, 32 * MIB);
    check(200 * MIB, 128 * MIB, 32 * MIB);
    check(0, 4 * MIB, 2 * MIB);
}

#[test]
fn the_shorter_memory_is_the_more_is_written_back_at_a_time() {
    let at_a_time = |eighths: usize| super::at_a_time(eighths * 16 * MIB, 128 * MIB);
    assert_eq!([0, 4, 5, 6, 7, 8, 20].map(at_a_time), [4, 4, 8, 16, 32, 32, 32]);
}
