# SPDX-License-Identifier: Apache-2.0
"""The generated half of the C++ interface: values.hpp (enums, values, parameters) and calls.hpp (one method a call).
What is written by hand is include/dreamapi.hpp and include/dreamapi/result.hpp."""
from headers import Accessor, Api, Call, Enum, Struct, Value, without_null_objects

# Structs of parameters that are not texts and numbers alone, and are written by hand; and what has its own class.
BY_HAND = ("dreamapi_asset_params", "dreamapi_cart_params", "dreamapi_cart_item", "dreamapi_meter_params", "dreamapi_usage_event",
           "dreamapi_call_options", "dreamapi_transport", "dreamapi_transport_settings", "dreamapi_clock", "dreamapi_test_answer",
           "dreamapi_webhook_params", "dreamapi_token_params")
# Whose texts C only compares: one that would reach it cut is refused before.
COMPARED = ("dreamapi_token_verify",)
# Words that C++ keeps for itself.
KEYWORDS = {"delete", "default", "new", "operator", "register"}


def short(name: str) -> str:
    return name.removeprefix("dreamapi_")


def safe(name: str) -> str:
    return name + "_" if name in KEYWORDS else name


def doc(text: str, indent: str = "") -> str:
    """A comment of at most 120 columns."""
    words, lines, line = text.split(), [], indent + "///"
    for word in words:
        if len(line) + 1 + len(word) > 120:
            lines.append(line)
            line = indent + "///"
        line += " " + word
    return "\n".join(lines + [line]) + "\n" if words else ""


def head(guard: str, about: str, includes: list[str]) -> str:
    return (f"/* SPDX-License-Identifier: Apache-2.0 - made by bindings/generate.py from the headers in include/dreamapi */\n{about}\n#ifndef {guard}\n#define {guard}\n\n"
            + "".join(f"#include {name}\n" for name in includes) + "\nnamespace dreamapi {\n\n")


TAIL = "} // namespace dreamapi\n\n#endif\n"


def enum(item: Enum, prefix: str) -> str:
    lines = [doc(item.doc) + f"enum class {short(item.name)} : int {{"]
    for member in item.members:
        lines.append(doc(member.doc, "    ") + f"    {safe(member.name.removeprefix(prefix).lower())} = {member.value},")
    return "\n".join(lines) + "\n};\n"


def accessor_type(accessor: Accessor) -> str:
    plain = {"text": "std::string_view", "integer": "std::int64_t", "number": "double", "flag": "bool", "lookup": "bool",
             "texts": "text_list", "values": "value_list"}[accessor.kind]
    return f"std::optional<{plain}>" if accessor.missing else plain


def said(accessor: Accessor) -> str:
    """The header's words without what the type says here."""
    text = without_null_objects(accessor.function.doc)
    return text.replace("NULL past the end.", "").replace("; -1 when", "; nothing when").replace("; NULL when", "; nothing when").replace("; NULL if", "; nothing if")


def accessor(value: Value, item: Accessor) -> str:
    name, function = safe(item.name), item.function.name
    text = doc(said(item), "    ")
    if item.kind == "lookup":
        return text + f"    bool {name}(const std::string &name) const noexcept {{ return {function}(object_, detail::c_text(name)) != 0; }}\n"
    if item.kind == "texts":
        return text + (f"    detail::list<std::string_view, {value.name}> {name}() const noexcept\n    {{\n"
                       f"        return {{ object_, {item.count.name}, [](const {value.name} *object, std::size_t index) {{\n"
                       f"            return std::string_view({function}(object, index));\n        }} }};\n    }}\n")
    if item.kind == "values":
        part = short(item.value_type) + "_view"
        return text + (f"    detail::list<{part}, {value.name}> {name}() const noexcept\n    {{\n"
                       f"        return {{ object_, {item.count.name}, [](const {value.name} *object, std::size_t index) {{\n"
                       f"            return {part}({function}(object, index));\n        }} }};\n    }}\n")
    read = {"text": "detail::text({})", "integer": "{}", "number": "{}", "flag": "{} != 0"}[item.kind].format(f"{function}(object_)")
    if item.kind == "text" and item.missing:
        read = f"detail::optional_text({function}(object_))"
    elif item.missing:
        read = f"detail::optional_number({function}(object_), {item.missing})"
    return text + f"    {accessor_type(item)} {name}() const noexcept {{ return {read}; }}\n"


def value_class(value: Value) -> str:
    name = short(value.name)
    body = "\n".join(accessor(value, item) for item in value.accessors)
    view = (doc(value.doc + " A view: valid as long as the object that it was taken from.")
            + f"class {name}_view {{\npublic:\n    explicit {name}_view(const {value.name} *object = nullptr) noexcept : object_(object) {{}}\n\n"
            + body + f"\n    /// The C object; borrowed.\n    const {value.name} *get() const noexcept {{ return object_; }}\n\n"
            + f"protected:\n    const {value.name} *object_;\n}};\n")
    if value.free is None:
        return view
    return view + (f"\n{doc(value.doc + ' Owned, and moved, never copied.')}"
                   f"class {name} : public {name}_view {{\npublic:\n"
                   f"    /// Takes ownership of a C object.\n    explicit {name}({value.name} *object = nullptr) noexcept : {name}_view(object) {{}}\n"
                   f"    {name}({name} &&other) noexcept : {name}_view(other.release()) {{}}\n"
                   f"    {name} &operator=({name} &&other) noexcept\n    {{\n        if (this != &other)\n            reset(other.release());\n        return *this;\n    }}\n"
                   f"    {name}(const {name} &) = delete;\n    {name} &operator=(const {name} &) = delete;\n    ~{name}() {{ reset(); }}\n\n"
                   f"    /// Gives the C object away.\n    {value.name} *release() noexcept\n    {{\n"
                   f"        return const_cast<{value.name} *>(std::exchange(object_, nullptr));\n    }}\n"
                   f"    void reset({value.name} *object = nullptr) noexcept\n    {{\n"
                   f"        {value.free.name}(const_cast<{value.name} *>(std::exchange(object_, object)));\n    }}\n}};\n")


def params_struct(struct: Struct) -> str:
    name = short(struct.name)
    fields, fill = [], []
    for part in struct.fields:
        if part.name == "struct_size":
            continue
        text = doc(part.doc.replace("NULL", "none"), "    ")
        if part.type == "const char *":
            fields.append(text + f"    std::optional<std::string> {part.name};")
            fill.append(f"        params.{part.name} = detail::c_text({part.name});")
        elif part.type == "int64_t":
            fields.append(text + f"    std::optional<std::int64_t> {part.name};")
            fill.append(f"        if ({part.name})\n            params.{part.name} = *{part.name};")
        else:
            raise ValueError(f"{struct.name}.{part.name}: {part.type} has no place in C++ yet")
    return (doc(struct.doc.replace("NULL fields", "Empty fields")) + f"struct {name} {{\n" + "\n".join(fields)
            + ("\n\n" if fields else "") + f"    /// The C struct; borrows from this one.\n    {struct.name} c() const noexcept\n    {{\n"
            f"        {struct.name} params = {struct.name.upper()}_INIT;\n\n" + "\n".join(fill) + ("\n" if fill else "") + "        return params;\n    }\n};\n")


ENUM_PREFIXES = {"dreamapi_status": "DREAMAPI_", "dreamapi_reason": "DREAMAPI_REASON_", "dreamapi_source": "DREAMAPI_SOURCE_",
                 "dreamapi_policy": "DREAMAPI_POLICY_", "dreamapi_webhook_scheme": "DREAMAPI_WEBHOOK_", "dreamapi_log_level": "DREAMAPI_LOG_"}


def values(api: Api) -> str:
    text = head("DREAMAPI_VALUES_HPP", "/* values.hpp - what calls answer and what they are given. Included by dreamapi.hpp. */",
                ["<cstddef>", "<cstdint>", "<optional>", "<string>", "<string_view>", "<utility>", "", "<dreamapi.h>", "<dreamapi/detail.hpp>"])
    text = text.replace("#include \n", "\n")
    text += "\n".join(enum(item, ENUM_PREFIXES[item.name]) for item in api.enums if item.name in ENUM_PREFIXES) + "\n"
    text += "\n".join(value_class(value) for value in api.values()) + "\n"
    structs = [struct for struct in api.structs if struct.fields[0].name == "struct_size" and struct.name not in BY_HAND]
    return text + "\n".join(params_struct(struct) for struct in structs) + "\n" + TAIL


def call_params(api: Api, call: Call) -> tuple[list[str], list[str], str]:
    """Of a method: its parameters, what is handed to C, and the statements before."""
    params, passed, before = [], [], ""
    for argument in api.arguments(call):
        # A parameter must not hide the type that the call answers.
        name = argument.name + "_text" if argument.name == short(call.answer) else argument.name
        if argument.kind == "text":
            params.append(f"const std::string &{name}")
            passed.append(f"detail::c_text({name})")
        elif argument.kind == "optional text":
            params.append(f"const std::optional<std::string> &{name}")
            passed.append(f"detail::c_text({name})")
        elif argument.struct:
            params.append(f"const {short(argument.struct.name)} &params")
            before += "        const auto &c_params = params.c();\n"
            passed.append("detail::at(c_params)")
        elif argument.kind == "events":
            params.append("const std::vector<usage_event> &events")
            before += "        const auto c_events = detail::c_array(events);\n"
            passed.append("c_events.data()")
        else:
            passed.append("c_events.size()")
    if call.function.name in COMPARED:
        texts = ", ".join(one for one in passed if one.startswith("detail::c_text("))
        before += f"\n        if (detail::has_cut({{ {texts} }}) || c_params.has_cut())\n            return detail::cut_error();\n"
    return params, passed, before


def is_optional(call: Call) -> bool:
    return call.params is not None and "`params` may be NULL" in call.function.doc


def method(api: Api, call: Call) -> str:
    params, passed, before = call_params(api, call)
    answer, name = short(call.answer), safe(call.name)
    if is_optional(call) or call.params == "dreamapi_usage_track_params":
        params[-1] += " = {}"
    listed = ", ".join(params + ["const call_options &options = {}"])
    given = ", ".join(["self()"] + passed + ["&c_options", "&object", "&error.c()"])
    text = doc(call.function.doc.replace("; may be NULL", "").replace("`params` may be NULL", "`params` may be left out"), "    ")
    text = text.replace("`*out_", "`").replace(" NULL on failure.", " none on failure.")
    blocking = (f"    result<{answer}> {name}({listed}) const\n    {{\n{before}        const auto c_options = options.c();\n"
                f"        {call.answer} *object = nullptr;\n        class error error;\n\n"
                f"        {call.function.name}({given});\n        return detail::answer<{answer}>(object, std::move(error));\n    }}\n")
    given = given.replace("&object", "&started")
    started = (f"    result<pending<{answer}>> {call.name}_start({listed}) const\n    {{\n{before}        const auto c_options = options.c();\n"
               f"        dreamapi_call *started = nullptr;\n        class error error;\n\n"
               f"        {call.start.name}({given});\n"
               f"        return detail::answer<pending<{answer}>>(started, std::move(error));\n    }}\n")
    return text + blocking + f"    /// {call.name} without waiting.\n" + started


def taker(call: Call) -> str:
    answer = short(call.answer)
    return (f"template <> struct taker<{answer}> {{\n    using object = {call.answer};\n"
            f"    static dreamapi_status take(dreamapi_call *call, object **out, dreamapi_error *error) noexcept\n    {{\n"
            f"        return {call.result.name}(call, out, error);\n    }}\n}};\n")


def calls(api: Api) -> str:
    text = head("DREAMAPI_CALLS_HPP", "/* calls.hpp - the client's calls, one method each. Included by dreamapi.hpp. */",
                ["<optional>", "<string>", "<utility>", "<vector>", "", "<dreamapi.h>", "<dreamapi/params.hpp>", "<dreamapi/result.hpp>", "<dreamapi/values.hpp>"])
    text = text.replace("#include \n", "\n")
    by_answer = {call.answer: call for call in api.calls()}
    text += "namespace detail {\n\n" + "\n".join(taker(call) for call in by_answer.values()) + "\n} // namespace detail\n\n"
    text += ("/// What a client can ask the service. Each call waits for its answer, retries included, within one deadline; each has a twin\n"
             "/// that only starts it. Any thread.\ntemplate <class Client> class calls {\npublic:\n"
             + "\n".join(method(api, call) for call in api.calls())
             + "\nprivate:\n    dreamapi_client *self() const noexcept { return static_cast<const Client *>(this)->get(); }\n};\n\n")
    return text + TAIL
