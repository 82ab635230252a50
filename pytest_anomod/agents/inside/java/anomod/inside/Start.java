package anomod.inside;

import java.lang.instrument.Instrumentation;

/** Starts our agent where it can run, and says in one line why not where it can't: the service starts either way. */
public final class Start {
  private Start() {}

  /** Called before the service's own main. `run` is the directory for our socket. Compiled for Java 8, the rest for 17. */
  public static void premain(String run, Instrumentation instrumentation) {
    String version = System.getProperty("java.version");
    try {
      Class<?> agent = Class.forName("anomod.inside.Agent");
      agent.getMethod("serve", String.class, Instrumentation.class).invoke(null, run, instrumentation);
    } catch (UnsupportedClassVersionError error) {
      System.err.println("pytest-anomod: no coverage and no code faults: they need Java 17 or newer, this is " + version);
    } catch (Throwable error) { // whatever it is, it is ours and not the service's
      Throwable cause = error.getCause() == null ? error : error.getCause();
      System.err.println("pytest-anomod: no coverage and no code faults in Java " + version + ": " + cause);
    }
  }
}
