package dev.dirtyd;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/**
 * How often a call is repeated that {@linkplain DirtyException#isSafeToRetry has certainly not started}, and when.
 *
 * @param most the number of repetitions
 */
record Retries(int most) {
    private static final long FIRST_MILLIS = 50;
    private static final long LONGEST_MILLIS = 2000;

    /** None: the default. */
    static final Retries NONE = new Retries(0);

    Retries {
        if (most < 0) {
            throw new IllegalArgumentException("retries: " + most + " is negative");
        }
    }

    /** The wait after {@code made} repetitions; empty if there is to be no further one. */
    Optional<Duration> after(int made, DirtyException error) {
        if (made >= most || !error.isSafeToRetry()) {
            return Optional.empty();
        }
        long base = Math.min(FIRST_MILLIS << Math.min(made, 10), LONGEST_MILLIS);
        Duration half = Duration.ofMillis(base / 2);
        Duration wait =
                error.retryAfter().filter(asked -> asked.compareTo(half) > 0).orElse(half);
        // Callers that were refused together should not come back together.
        return Optional.of(wait.plusNanos(ThreadLocalRandom.current().nextLong(half.toNanos())));
    }
}
