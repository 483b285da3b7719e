#include "culvert/flow_upload/record_file.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>

#include <boost/crc.hpp>

#include "culvert/flow_upload/constants.h"

namespace culvert::flow_upload {
namespace {

constexpr std::size_t kChecksumDigits = 8;
constexpr std::string_view kSuffix = ".records";
constexpr std::size_t kNumberDigits = 12;

std::string checksum_of(std::string_view text) {
    boost::crc_32_type crc;
    crc.process_bytes(text.data(), text.size());
    std::array<char, kChecksumDigits + 1> digits{};
    std::snprintf(digits.data(), digits.size(), "%08x", static_cast<unsigned>(crc.checksum()));
    return digits.data();
}

template <typename Number>
bool parse_number(std::string_view text, Number& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

std::string encode_record_file(std::span<const std::string> records) {
    std::string lines;
    for (const auto& record : records) {
        lines += record + '\n';
    }
    return checksum_of(lines) + '\n' + lines;
}

std::optional<std::vector<std::string>> decode_record_file(std::string_view text) {
    if (text.size() < kChecksumDigits + 2 || text[kChecksumDigits] != '\n' || text.back() != '\n') {
        return std::nullopt;
    }
    auto lines = text.substr(kChecksumDigits + 1);
    if (checksum_of(lines) != text.substr(0, kChecksumDigits)) {
        return std::nullopt;
    }
    std::vector<std::string> records;
    while (!lines.empty()) {
        const auto end = lines.find('\n');
        records.emplace_back(lines.substr(0, end));
        lines.remove_prefix(end + 1);
    }
    return records;
}

std::string record_file_name(std::uint64_t number, std::size_t records) {
    auto digits = std::to_string(number);
    digits.insert(0, kNumberDigits - std::min(kNumberDigits, digits.size()), '0');
    return digits + "-" + std::to_string(records) + std::string{kSuffix};
}

std::optional<RecordFileName> parse_record_file_name(std::string_view name) {
    const auto dash = name.find('-');
    if (dash == std::string_view::npos || !name.ends_with(kSuffix) || name.size() < dash + 1 + kSuffix.size()) {
        return std::nullopt;
    }
    RecordFileName parsed;
    const auto count = name.substr(dash + 1, name.size() - dash - 1 - kSuffix.size());
    if (!parse_number(name.substr(0, dash), parsed.number) || !parse_number(count, parsed.records) ||
        parsed.records == 0 || parsed.records > kRecordsOfFile ||
        record_file_name(parsed.number, parsed.records) != name) {
        return std::nullopt;
    }
    return parsed;
}

}  // namespace culvert::flow_upload
