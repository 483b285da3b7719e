// Files of the spool of flow records, and their names, with any content: what is taken for whole is what was written.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/flow_upload/record_file.h"

namespace {

using namespace culvert::flow_upload;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

/// Few would get past the checksum, so it is made to fit as well.
void check_file(std::string_view text) {
    if (const auto records = decode_record_file(text)) {
        require(!records->empty() && encode_record_file(*records) == text);
    }
    std::vector<std::string> lines{""};
    for (const char c : text) {
        if (c == '\n') {
            lines.emplace_back();
        } else {
            lines.back() += c;
        }
    }
    const auto whole = encode_record_file(lines);
    require(decode_record_file(whole) == lines);
    for (const auto place : {std::size_t{0}, text.size() % whole.size(), whole.size() - 1}) {
        auto damaged = whole;
        damaged[place] = static_cast<char>(damaged[place] ^ 1);
        require(!decode_record_file(damaged));
        require(!decode_record_file(whole.substr(0, place)));
    }
}

void check_name(std::string_view text) {
    if (const auto name = parse_record_file_name(text)) {
        require(record_file_name(name->number, name->records) == text);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    check_file(text);
    check_name(text);
    return 0;
}
