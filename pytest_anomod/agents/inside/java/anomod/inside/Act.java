package anomod.inside;

import java.lang.reflect.Constructor;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jboss.byteman.rule.exception.ThrowException;

/** What changed functions call. */
public final class Act {
  /** Exceptions and values, by the name of the rule that uses them; they stay, as calls may be under way. */
  static final Map<String, Object> HELD = new ConcurrentHashMap<>();

  /** Rules that count now. */
  static final Set<String> COUNTING = ConcurrentHashMap.newKeySet();

  private Act() {}

  public static boolean counts(String rule) {
    return COUNTING.contains(rule);
  }

  public static Object value(String rule) {
    return HELD.get(rule);
  }

  /** Throws what Byteman lets out of the function past its own handlers, as if the function itself had thrown it. */
  public static void raise(String rule) throws Exception {
    throw new ThrowException(((Made) HELD.get(rule)).make());
  }

  /** An exception and its message. */
  record Made(Constructor<? extends Throwable> constructor, String message) {
    Throwable make() throws ReflectiveOperationException {
      Throwable made = constructor.newInstance(message);
      StackTraceElement[] stack = made.getStackTrace();
      int own = stack.length; // from here on the frames are the service's own
      while (own > 0 && !stack[own - 1].getClassName().startsWith("org.jboss.byteman.")) {
        own--;
      }
      made.setStackTrace(Arrays.copyOfRange(stack, own, stack.length));
      return made;
    }
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
