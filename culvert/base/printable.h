#pragma once

#include <string>
#include <string_view>

namespace culvert {

/// `utf8` fit for a terminal, a log line or the inside of a JSON string: what would act on the reader's screen instead
/// of showing (control characters, line separators, marks that turn the direction of writing, and the byte-order mark)
/// becomes `\u001b`; bytes that are no UTF-8 become `\ufffd`. Other text stays as it is.
[[nodiscard]] std::string escape_unprintable(std::string_view utf8);

/// Whether escape_unprintable() would leave `utf8` as it is.
[[nodiscard]] bool is_printable(std::string_view utf8);

/// Whether every byte belongs to a character (RFC 3629).
[[nodiscard]] bool is_utf8(std::string_view text);

/// Whether `utf8` has control characters (U+0000 to U+001F, U+007F to U+009F), which no name needs.
[[nodiscard]] bool has_control_characters(std::string_view utf8);

}  // namespace culvert
