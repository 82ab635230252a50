package anomod.inside;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.instrument.Instrumentation;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jboss.byteman.agent.Retransformer;
import org.jboss.byteman.modules.NonModuleSystem;
import org.jboss.byteman.objectweb.asm.Type;

/** Changes of functions by rules of Byteman, which is driven directly: nothing listens for rules. */
final class Faults {
  private static final Map<String, String> BOXES = Map.of(
      "byte", "java.lang.Byte", "short", "java.lang.Short", "int", "java.lang.Integer", "long", "java.lang.Long",
      "float", "java.lang.Float", "double", "java.lang.Double", "boolean", "java.lang.Boolean");

  private final Functions functions;
  private final Instrumentation instrumentation;
  private final Retransformer byteman;
  private final Map<String, Rule> rules = new LinkedHashMap<>();
  private int made;

  /** A change that is in. */
  private record Rule(String name, String text) {}

  Faults(Instrumentation instrumentation) throws Exception {
    this.instrumentation = instrumentation;
    keepRules();
    functions = new Functions(instrumentation);
    byteman = new Retransformer(instrumentation, new NonModuleSystem(), List.of(), List.of(), false);
    instrumentation.addTransformer(byteman, true);
  }

  /** Calls under way still ask for a rule that was taken out; one that is not found would fail them. */
  private static void keepRules() throws ReflectiveOperationException {
    Field rules = org.jboss.byteman.rule.Rule.class.getDeclaredField("ruleKeyMap");
    rules.setAccessible(true);
    rules.set(null, new Keeping());
  }

  /** Rules of Byteman by key, of which none is ever removed; all threads of the service may look at once. */
  private static final class Keeping extends HashMap<Object, Object> {
    private static final long serialVersionUID = 1L;
    private final Map<Object, Object> all = new ConcurrentHashMap<>();

    @Override
    public Object get(Object key) {
      return all.get(key);
    }

    @Override
    public Object put(Object key, Object rule) {
      return all.put(key, rule);
    }

    @Override
    public Object remove(Object key) {
      return all.get(key);
    }
  }

  /**
   * Changes a function of ours in each way, calls it, and changes it back.
   *
   * <p>What the first change in a process costs (0.2 s of CPU, most of it for classes of Byteman) is spent at the start of
   * every service, in all cases alike, and not in the one service that gets a fault, at the moment it does.
   */
  void rehearse() throws Exception {
    String asked = Rehearsal.class.getName() + ":run";
    for (Map<String, String> change : List.of(
        Map.of("action", "raise", "exception", "RuntimeError", "message", ""),
        Map.of("action", "return", "kind", "null", "value", ""),
        Map.of("action", "delay", "delay_s", "0"))) {
      Map<String, String> given = new HashMap<>(change);
      given.put("function", asked);
      patch(given);
      try {
        Rehearsal.run();
      } catch (RuntimeException asWanted) {
        // the first change
      }
      restore(asked);
    }
  }

  String locate(String asked) throws Refused {
    return location(functions.find(asked));
  }

  Collection<String> patched() {
    return new ArrayList<>(rules.keySet());
  }

  /** Puts a change in, in place of an earlier one of the same function; Refused when it is not in afterwards. */
  String patch(Map<String, String> given) throws Exception {
    String asked = given.get("function");
    Functions.Function function = functions.find(asked);
    if (function.owner().isInterface()) {
      throw new Refused(function.shown() + " stands in an interface: Byteman changes methods of classes only");
    }
    String name = "pytest-anomod %06d".formatted(++made);
    String action = action(function, name, given);
    String where = "delay".equals(given.get("action")) ? "AT ENTRY" : "AT EXIT";
    // compiled, what is thrown goes its way as it is; interpreted, types that others can't see may be returned
    String how = "return".equals(given.get("action")) ? "NOCOMPILE" : "COMPILE";
    String method = "%s(%s)".formatted(function.name(), String.join(", ", function.parameters().split(",")));
    String text = "RULE %s%nCLASS %s%nMETHOD %s%n%s%n%s%n%s%nENDRULE%n"
        .formatted(name, function.owner().getName(), method, how, where, action);
    restore(asked);
    rules.put(asked, new Rule(name, text));
    Act.COUNTING.add(name);
    String said = told(out -> byteman.installScript(List.of(text), List.of(name), out));
    String seen = told(byteman::listScripts);
    int from = seen.indexOf(name);
    if (from < 0 || seen.indexOf("Transformed in:", from) < 0) {
      restore(asked);
      throw new Refused("Byteman did not change " + asked + ": " + (said + " " + seen).replaceAll("\\s+", " ").strip());
    }
    return location(function);
  }

  /** Takes one change out, or all for null; the names that are still changed. */
  Collection<String> restore(String asked) throws Exception {
    for (String each : asked == null ? patched() : List.of(asked)) {
      Rule rule = rules.get(each);
      if (rule != null) {
        Act.COUNTING.remove(rule.name);
        told(out -> byteman.removeScripts(List.of(rule.text), out));
        if (told(byteman::listScripts).contains(rule.name)) {
          throw new Refused("Byteman did not take " + rule.name + " out");
        }
        rules.remove(each);
      }
    }
    return patched();
  }

  private interface Order {
    void tell(PrintWriter out) throws Exception;
  }

  private static String told(Order order) throws Exception {
    var said = new StringWriter();
    order.tell(new PrintWriter(said, true));
    return said.toString();
  }

  private static String location(Functions.Function function) {
    return "{\"file\":%s,\"function\":%s,\"first_line\":%d,\"last_line\":%d}"
        .formatted(Agent.text(function.path()), Agent.text(function.shown()), function.first(), function.last());
  }

  /** An action that is done as long as the rule counts: calls that are under way as it is taken out end as they began. */
  private static String doing(String rule, String action) {
    return "IF anomod.inside.Act.counts(\"%s\")%nDO %s".formatted(rule, action);
  }

  private String action(Functions.Function function, String rule, Map<String, String> given) throws Refused {
    switch (given.get("action")) {
      case "delay":
        return doing(rule, "anomod.inside.Act.pause(%d)".formatted(Math.round(Double.parseDouble(given.get("delay_s")) * 1000)));
      case "raise":
        Act.HELD.put(rule, new Act.Made(exception(function, given.get("exception")), given.get("message")));
        return doing(rule, "anomod.inside.Act.raise(\"%s\")".formatted(rule));
      case "return":
        return returning(function, rule, given.get("kind"), given.get("value"));
      default:
        throw new Refused("action '" + given.get("action") + "' is none of raise, return, delay");
    }
  }

  /** An exception that the function may throw: unchecked, or of a kind that it declares. */
  private Constructor<? extends Throwable> exception(Functions.Function function, String name) throws Refused {
    Class<?> found = exceptionNamed(function, name.equals("RuntimeError") ? "RuntimeException" : name);
    if (!Throwable.class.isAssignableFrom(found)) {
      throw new Refused("'" + name + "' is " + found.getName() + ", which can't be thrown");
    }
    Constructor<? extends Throwable> made;
    try {
      made = found.asSubclass(Throwable.class).getConstructor(String.class);
    } catch (NoSuchMethodException error) {
      throw new Refused(found.getName() + " has no public constructor that takes a message alone");
    }
    if (RuntimeException.class.isAssignableFrom(found) || Error.class.isAssignableFrom(found)) {
      return made;
    }
    for (String each : function.declared()) {
      Class<?> declared = classNamed(each, function.owner().getClassLoader());
      if (declared != null && declared.isAssignableFrom(found)) {
        return made;
      }
    }
    String may = function.declared().isEmpty() ? "nothing" : String.join(", ", function.declared());
    throw new Refused("%s is checked, and %s declares %s: it can throw an unchecked one, or what it declares"
        .formatted(found.getName(), function.shown(), may));
  }

  private Class<?> exceptionNamed(Functions.Function function, String name) throws Refused {
    Class<?> owner = function.owner();
    String own = owner.getPackageName().isEmpty() ? "" : owner.getPackageName() + ".";
    Set<String> tried = new LinkedHashSet<>(List.of(name, owner.getName() + "$" + name, own + name));
    for (String known : List.of("java.lang.", "java.io.", "java.util.", "java.util.concurrent.", "java.sql.")) {
      tried.add(known + name);
    }
    for (String each : tried) {
      Class<?> found = classNamed(each, owner.getClassLoader());
      if (found != null) {
        return found;
      }
    }
    List<? extends Class<?>> known = Arrays.<Class<?>>stream(instrumentation.getAllLoadedClasses())
        .filter(one -> Throwable.class.isAssignableFrom(one) && one.getName().endsWith("." + name))
        .toList();
    if (known.size() == 1 && classNamed(known.get(0).getName(), owner.getClassLoader()) == known.get(0)) {
      return known.get(0);
    }
    throw new Refused("exception '" + name + "' is not known to " + owner.getName() + "; write it with its package");
  }

  private static Class<?> classNamed(String name, ClassLoader loader) {
    try {
      return Class.forName(name, false, loader);
    } catch (ClassNotFoundException | LinkageError error) {
      return null;
    }
  }

  /** Binding, condition and action that return a value; `kind` is null, boolean, number or text. */
  private static String returning(Functions.Function function, String rule, String kind, String value) throws Refused {
    String type = function.returns().getClassName();
    if (type.equals("void")) {
      throw new Refused(function.shown() + " returns nothing: there is no value to change");
    }
    var wrong = new Refused("%s returns %s: %s %s is none".formatted(function.shown(), type, kind, value).replace("null  is", "null is"));
    try {
      if (BOXES.containsKey(type) || type.equals("char")) {
        return doing(rule, "return " + primitive(type, kind, value, wrong));
      }
      if (kind.equals("null")) {
        return doing(rule, "return null");
      }
      Act.HELD.put(rule, object(function, type, kind, value, wrong));
      String binary = binary(function.returns());
      return "BIND value : %s = anomod.inside.Act.value(\"%s\")%n%s".formatted(binary, rule, doing(rule, "return value"));
    } catch (IllegalArgumentException error) { // NumberFormatException, or no such constant of an enum
      throw wrong;
    }
  }

  private static String primitive(String type, String kind, String value, Refused wrong) throws Refused {
    boolean fits = switch (type) {
      case "boolean" -> kind.equals("boolean");
      case "char" -> kind.equals("text") && value.length() == 1;
      default -> kind.equals("number");
    };
    if (!fits) {
      throw wrong;
    }
    if (type.equals("char")) {
      return "(char) " + (int) value.charAt(0);
    }
    String box = BOXES.get(type);
    String parse = type.equals("boolean") ? "parseBoolean" : "parse" + Character.toUpperCase(type.charAt(0)) + type.substring(1);
    boxed(box, value);
    return "%s.%s(\"%s\")".formatted(box, parse, value);
  }

  private static Object boxed(String box, String value) {
    return switch (box) {
      case "java.lang.Byte" -> Byte.valueOf(value);
      case "java.lang.Short" -> Short.valueOf(value);
      case "java.lang.Integer" -> Integer.valueOf(value);
      case "java.lang.Long" -> Long.valueOf(value);
      case "java.lang.Float" -> Float.valueOf(value);
      case "java.lang.Double" -> Double.valueOf(value);
      default -> Boolean.valueOf(value);
    };
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  private static Object object(Functions.Function function, String type, String kind, String value, Refused wrong) throws Refused {
    Class<?> wanted = classNamed(binary(function.returns()), function.owner().getClassLoader());
    if (wanted == null) {
      throw wrong;
    }
    if (wanted.isEnum() && kind.equals("text")) {
      return Enum.valueOf((Class<? extends Enum>) wanted, value);
    }
    if (kind.equals("number") && BOXES.containsValue(type) && !type.equals("java.lang.Boolean")) {
      return boxed(type, value);
    }
    List<Object> candidates = switch (kind) {
      case "boolean" -> List.of(Boolean.valueOf(value));
      case "number" -> numbers(value);
      default -> List.of(value);
    };
    for (Object candidate : candidates) {
      if (wanted.isInstance(candidate)) {
        return candidate;
      }
    }
    throw wrong;
  }

  private static List<Object> numbers(String value) {
    var exact = new BigDecimal(value);
    List<Object> found = new ArrayList<>();
    if (exact.scale() <= 0) {
      BigInteger whole = exact.toBigInteger();
      found.add(whole.bitLength() < 32 ? (Object) whole.intValue() : whole.bitLength() < 64 ? (Object) whole.longValue() : whole);
      found.add(whole);
    } else {
      found.add(exact.doubleValue());
    }
    found.add(exact);
    return found;
  }

  private static String binary(Type type) {
    return type.getSort() == Type.ARRAY ? type.getDescriptor().replace('/', '.') : type.getClassName();
  }
}
