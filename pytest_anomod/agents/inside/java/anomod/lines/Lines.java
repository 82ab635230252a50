package anomod.lines;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jacoco.core.analysis.Analyzer;
import org.jacoco.core.analysis.CoverageBuilder;
import org.jacoco.core.analysis.IClassCoverage;
import org.jacoco.core.analysis.ICounter;
import org.jacoco.core.analysis.IMethodCoverage;
import org.jacoco.core.data.ExecutionData;
import org.jacoco.core.data.ExecutionDataStore;
import org.jacoco.core.tools.ExecFileLoader;
import org.objectweb.asm.Type;

/**
 * Makes lines of what JaCoCo took down in several windows: `Lines CLASSES OUT EXEC...` writes a JSON list to OUT.
 *
 * <p>CLASSES is where JaCoCo dumped the classes, as NAME.ID.class. An entry for each EXEC maps files below the sources to
 * {"covered": [line]}; in the first they have all "executable" lines and "functions" {name: [first, last]} besides.
 */
public final class Lines {
  private Lines() {}

  /** Lines and functions of one source file. */
  private static final class Source {
    final TreeSet<Integer> covered = new TreeSet<>();
    final TreeSet<Integer> executable = new TreeSet<>();
    final TreeMap<String, int[]> functions = new TreeMap<>();
  }

  public static void main(String[] arguments) throws IOException {
    Map<Long, byte[]> classes = classes(Path.of(arguments[0]));
    List<String> windows = new ArrayList<>();
    for (int number = 2; number < arguments.length; number++) {
      Map<String, Source> sources = new TreeMap<>();
      if (number == 2) {
        analyze(new ExecutionDataStore(), classes.values(), sources);
      }
      var loader = new ExecFileLoader();
      loader.load(Path.of(arguments[number]).toFile());
      ExecutionDataStore ran = loader.getExecutionDataStore();
      List<byte[]> those = ran.getContents().stream().map(ExecutionData::getId).filter(classes::containsKey).map(classes::get).toList();
      analyze(ran, those, sources);
      windows.add(json(sources, number == 2));
    }
    Files.writeString(Path.of(arguments[1]), "[" + String.join(",\n", windows) + "]");
  }

  private static Map<Long, byte[]> classes(Path directory) throws IOException {
    Map<Long, byte[]> found = new HashMap<>();
    if (Files.isDirectory(directory)) {
      try (Stream<Path> files = Files.walk(directory)) {
        for (Path file : files.filter(one -> one.toString().endsWith(".class")).toList()) {
          String[] parts = file.getFileName().toString().split("\\.");
          found.put(Long.parseUnsignedLong(parts[parts.length - 2], 16), Files.readAllBytes(file));
        }
      }
    }
    return found;
  }

  private static void analyze(ExecutionDataStore ran, Collection<byte[]> classes, Map<String, Source> sources) throws IOException {
    for (byte[] bytes : classes) {
      var builder = new CoverageBuilder(); // one a class: it refuses two versions of one
      try {
        new Analyzer(ran, builder).analyzeClass(new ByteArrayInputStream(bytes), "");
      } catch (IOException error) {
        continue; // dumped while the process was killed: what is cut off can't be read
      }
      builder.getClasses().forEach(one -> take(one, sources));
    }
  }

  private static void take(IClassCoverage one, Map<String, Source> sources) {
    if (one.getSourceFileName() == null) {
      return; // compiled without the names of its files
    }
    String folder = one.getPackageName().isEmpty() ? "" : one.getPackageName() + "/";
    Source source = sources.computeIfAbsent(folder + one.getSourceFileName(), name -> new Source());
    for (int line = one.getFirstLine(); line <= one.getLastLine(); line++) {
      int status = one.getLine(line).getStatus();
      if (line > 0 && status != ICounter.EMPTY) {
        source.executable.add(line);
        if (status != ICounter.NOT_COVERED) {
          source.covered.add(line);
        }
      }
    }
    var names = one.getMethods().stream().collect(Collectors.groupingBy(IMethodCoverage::getName, Collectors.counting()));
    String classes = one.getName().substring(folder.length()).replace('$', '.');
    for (IMethodCoverage method : one.getMethods()) {
      if (method.getFirstLine() > 0) {
        String types = Stream.of(Type.getArgumentTypes(method.getDesc())).map(Type::getClassName).collect(Collectors.joining(","));
        String name = classes + "." + method.getName() + (names.get(method.getName()) > 1 ? "(" + types + ")" : "");
        source.functions.put(name, new int[] {method.getFirstLine(), method.getLastLine()});
      }
    }
  }

  private static String json(Map<String, Source> sources, boolean whole) {
    return sources.entrySet().stream().map(entry -> {
      Source source = entry.getValue();
      String more = !whole ? "" : ",\"executable\":" + source.executable + ",\"functions\":" + source.functions.entrySet().stream()
          .map(one -> text(one.getKey()) + ":[" + one.getValue()[0] + "," + one.getValue()[1] + "]")
          .collect(Collectors.joining(",", "{", "}"));
      return text(entry.getKey()) + ":{\"covered\":" + source.covered + more + "}";
    }).collect(Collectors.joining(",", "{", "}"));
  }

  /** Names of files and functions, in which nothing but letters beyond ASCII may need an escape. */
  private static String text(String value) {
    return new String(value.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8).codePoints()
        .mapToObj(each -> each < 32 || each == '"' || each == '\\' ? "\\u%04x".formatted(each) : Character.toString(each))
        .collect(Collectors.joining("", "\"", "\""));
  }
}
