#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// A file of records as text: a checksum, then one record in each line.
namespace culvert::flow_upload {

[[nodiscard]] std::string encode_record_file(std::span<const std::string> records);
/// nullopt: damaged.
[[nodiscard]] std::optional<std::vector<std::string>> decode_record_file(std::string_view text);

/// The name of the `number`th file with so many records; names sort by number.
[[nodiscard]] std::string record_file_name(std::uint64_t number, std::size_t records);
struct RecordFileName {
    std::uint64_t number = 0;
    std::size_t records = 0;
};
[[nodiscard]] std::optional<RecordFileName> parse_record_file_name(std::string_view name);

}  // namespace culvert::flow_upload
