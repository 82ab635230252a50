package anomod.inside;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.instrument.Instrumentation;
import java.net.StandardProtocolFamily;
import java.net.URLDecoder;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.jar.JarFile;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jacoco.agent.rt.RT;

/**
 * Answers questions over a unix socket: lines that ran, functions and changes of them.
 *
 * <p>A question is one line, {"path": "PATH", "payload": "KEY=VALUE&..."}, in which URL encoding leaves nothing to
 * unescape. The answer is one JSON object, {"ok": ...} or {"error": text}, up to the end of the connection.
 */
public final class Agent {
  private static final int LONGEST_ADDRESS = 100;
  private static final int LONGEST_QUESTION = 1 << 20;
  private static final Pattern QUESTION = Pattern.compile("\\{\"path\": \"([^\"]*)\", \"payload\": (?:null|\"([^\"]*)\")\\}");

  private final Instrumentation instrumentation;
  private long sinceNs = now();
  private Faults faults;

  private Agent(Instrumentation instrumentation) {
    this.instrumentation = instrumentation;
  }

  /** Listens until the process ends, on a socket with a name that no other process of the service has. */
  public static void serve(String run, Instrumentation instrumentation) throws IOException {
    ProcessHandle process = ProcessHandle.current();
    if (process.parent().isEmpty() && process.pid() != 1) {
      return; // run in the container from outside: a health check, say
    }
    String name = "java-" + process.pid() + "-" + Long.toString(now(), 36) + ".sock";
    Path place = Path.of(run, name);
    ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    if (place.toString().length() < LONGEST_ADDRESS) {
      server.bind(UnixDomainSocketAddress.of(place));
    } else { // the kernel takes 107 bytes of an address, whatever it leads through
      Path link = Files.createTempDirectory("anomod").resolve("run");
      Files.createSymbolicLink(link, Path.of(run));
      server.bind(UnixDomainSocketAddress.of(link.resolve(name)));
      Files.delete(link);
      Files.delete(link.getParent());
    }
    place.toFile().deleteOnExit();
    Files.setPosixFilePermissions(place, PosixFilePermissions.fromString("rw-rw-rw-")); // its directory is private
    var agent = new Agent(instrumentation);
    daemon("socket", () -> agent.accept(server));
    daemon("rehearsal", agent::rehearse);
  }

  private synchronized void rehearse() {
    try {
      faults().rehearse();
    } catch (Throwable error) {
      // a fault that is asked for later will say what is wrong, and that it costs more is all that was lost
    }
  }

  private static void daemon(String name, Runnable work) {
    var thread = new Thread(null, work, "pytest-anomod " + name, 0, false);
    thread.setDaemon(true);
    thread.start();
  }

  private void accept(ServerSocketChannel server) {
    while (true) {
      try {
        SocketChannel connection = server.accept();
        daemon("answer", () -> answer(connection));
      } catch (IOException error) {
        System.err.println("pytest-anomod: no coverage and no code faults from here on: " + error);
        return;
      }
    }
  }

  private void answer(SocketChannel connection) {
    try (connection;
        InputStream in = Channels.newInputStream(connection);
        OutputStream out = Channels.newOutputStream(connection)) {
      var line = new StringBuilder();
      for (int next = in.read(); next >= 0 && next != '\n' && line.length() < LONGEST_QUESTION; next = in.read()) {
        line.append((char) next);
      }
      String said;
      try {
        said = "{\"ok\":" + act(line.toString()) + "}";
      } catch (Throwable error) { // the asker is told, the service goes on
        said = "{\"error\":" + text(error instanceof Refused ? error.getMessage() : error.toString()) + "}";
      }
      out.write(said.getBytes(StandardCharsets.UTF_8));
    } catch (IOException error) {
      // the asker is gone
    }
  }

  private synchronized String act(String question) throws Exception {
    Matcher asked = QUESTION.matcher(question);
    if (!asked.matches()) {
      throw new Refused("no question: " + question);
    }
    Map<String, String> given = new HashMap<>();
    String pairs = asked.group(2);
    for (String pair : pairs == null || pairs.isEmpty() ? new String[0] : pairs.split("&")) {
      String[] entry = pair.split("=", 2);
      given.put(entry[0], URLDecoder.decode(entry[1], StandardCharsets.UTF_8));
    }
    return switch (asked.group(1)) {
      case "/hello" -> hello();
      case "/coverage/snapshot" -> snapshot();
      case "/code/locate" -> faults().locate(given.get("function"));
      case "/code/patch" -> faults().patch(given);
      case "/code/restore" -> list(faults == null ? List.of() : faults.restore(given.get("function")));
      case "/code/patched" -> list(faults == null ? List.of() : faults.patched());
      default -> throw new Refused("no such question: " + question);
    };
  }

  private String hello() {
    String absent = "{}";
    try {
      RT.getAgent();
    } catch (Throwable error) { // not there, or it did not start
      absent = "{\"coverage\":" + text("JaCoCo: " + error) + "}";
    }
    return "{\"language\":\"java\",\"version\":" + text(System.getProperty("java.version")) + ",\"absent\":" + absent + "}";
  }

  /** What ran since the question before, or since the start, as JaCoCo writes it. */
  private String snapshot() {
    byte[] ran = RT.getAgent().getExecutionData(true);
    long began = sinceNs;
    sinceNs = now();
    String exec = Base64.getEncoder().encodeToString(ran);
    return "{\"since_unix_nano\":%d,\"at_unix_nano\":%d,\"raw\":{\"exec\":\"%s\"}}".formatted(began, sinceNs, exec);
  }

  /** Byteman is brought in next to us, where class loaders of applications look at last. */
  private Faults faults() throws Exception {
    if (faults == null) {
      Path library = Path.of(Agent.class.getProtectionDomain().getCodeSource().getLocation().toURI()).getParent();
      instrumentation.appendToSystemClassLoaderSearch(new JarFile(library.resolve("byteman.jar").toFile()));
      faults = new Faults(instrumentation);
    }
    return faults;
  }

  private static long now() {
    Instant now = Instant.now();
    return now.getEpochSecond() * 1_000_000_000L + now.getNano();
  }

  static String list(Collection<String> texts) {
    return texts.stream().map(Agent::text).collect(Collectors.joining(",", "[", "]"));
  }

  static String text(String value) {
    var out = new StringBuilder("\"");
    for (char each : value.toCharArray()) {
      if (each == '"' || each == '\\') {
        out.append('\\').append(each);
      } else if (each < 32 || each > 126) {
        out.append("\\u%04x".formatted((int) each));
      } else {
        out.append(each);
      }
    }
    return out.append('"').toString();
  }
}
