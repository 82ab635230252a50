package anomod.inside;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** What changed functions call. */
public final class Act {
  /** Messages and values, by the name of the rule that uses them. */
  public static final Map<String, Object> HELD = new ConcurrentHashMap<>();

  private Act() {}

  public static Object value(String rule) {
    return HELD.get(rule);
  }

  public static String message(String rule) {
    return (String) HELD.get(rule);
  }

  /** Waits, or is interrupted as the function itself would have been later on. */
  public static void pause(long milliseconds) {
    try {
      Thread.sleep(milliseconds);
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
  }
}
