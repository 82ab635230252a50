package own;

/** Somebody's own agent: it says that it has started. */
public class Own {
  public static void premain(String arguments) {
    System.setProperty("started", arguments);
  }
}
