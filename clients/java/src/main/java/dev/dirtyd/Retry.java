package dev.dirtyd;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/**
 * How often a call is tried, and the wait before the second attempt, which doubles with each further one. Only what
 * {@linkplain DirtyException#isSafeToRetry is safe} is tried again, never a call that may have started; and the delay
 * that the arbiter asks for is kept.
 *
 * @param attempts at least 1, the first one included
 * @param delay before the second attempt
 */
public record Retry(int attempts, Duration delay) {
    private static final Duration LONGEST = Duration.ofSeconds(10);

    /** One attempt: the default. */
    public static final Retry NONE = new Retry(1, Duration.ZERO);

    public Retry {
        if (attempts < 1 || delay.isNegative()) {
            throw new IllegalArgumentException("a Retry needs at least one attempt, and a delay that is not negative");
        }
    }

    /** So many attempts, 50 ms before the second. */
    public static Retry upTo(int attempts) {
        return new Retry(attempts, Duration.ofMillis(50));
    }

    /** The wait before the next attempt; empty if there should be none. */
    Optional<Duration> after(int tried, DirtyException error) {
        if (tried >= attempts || !error.isSafeToRetry()) {
            return Optional.empty();
        }
        Duration backoff = delay.multipliedBy(1L << Math.min(tried - 1, 16));
        Duration shortened = backoff.compareTo(LONGEST) < 0 ? backoff : LONGEST;
        Duration wait = error.retryAfter()
                .filter(asked -> asked.compareTo(shortened) > 0)
                .orElse(shortened);
        // Callers that were refused together should not come back together.
        return Optional.of(wait.plusNanos(
                (long) (wait.toNanos() * ThreadLocalRandom.current().nextDouble(0.25))));
    }
}
