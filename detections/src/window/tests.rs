use super::*;

fn entry(time: i64, mark: u64) -> Entry {
    Entry {
        time,
        offset: u64::try_from(time).unwrap_or(0),
        mark,
    }
}

fn scattered(n: u64) -> u64 {
    crate::sip::hash([5, 6], &n.to_le_bytes())
}

#[test]
fn rings_never_count_too_much_and_little_too_few() {
    let window = Window::new(Measure::Events, 300_000, 30_000, 10);
    let (mut body, _) = window.open(entry(0, 0));
    let mut times = vec![0i64];
    for step in 1..6_000i64 {
        let time = step * 97 + (step % 7) * 301;
        let count = window.add(&mut body, entry(time, 0));
        times.push(time);
        let exact = times
            .iter()
            .filter(|t| **t > time - 300_000 && **t <= time)
            .count() as u64;
        // The largest window with the event in it may end later than the event.
        let slack = 40;
        assert!(
            count.value <= exact + slack,
            "{step}: {} > {exact}",
            count.value
        );
        assert!(
            count.value * 100 >= exact * 95,
            "{step}: {} < {exact}",
            count.value
        );
    }
    assert!(matches!(body, Body::Ring(_)));
}

#[test]
fn estimates_are_close_and_follow_the_window() {
    let window = Window::new(Measure::Values, 120_000, 0, 10);
    let (mut body, _) = window.open(entry(0, scattered(0)));
    let mut last = Count::default();
    for n in 1..=10_000u64 {
        last = window.add(&mut body, entry(1, scattered(n)));
    }
    assert!(last.approximate);
    assert!((9_000..=11_000).contains(&last.value), "{}", last.value);
    // A window later nothing of it is left.
    let later = window.add(&mut body, entry(200_000, scattered(1)));
    assert!(later.value <= 2, "{}", later.value);
    // Small numbers are as good as exact.
    for n in 0..40 {
        last = window.add(&mut body, entry(400_000, scattered(n)));
    }
    assert!((38..=42).contains(&last.value), "{}", last.value);
}

#[test]
fn values_seen_again_take_no_room() {
    let window = Window::new(Measure::Values, 300_000, 30_000, 10);
    let (mut body, _) = window.open(entry(0, 1));
    for step in 1..5_000i64 {
        let mark = 1 + u64::try_from(step % 3).unwrap();
        let count = window.add(&mut body, entry(step * 1_000, mark));
        assert!(count.value <= 3 && !count.approximate);
    }
}
