// Writing JSON text: the envelope of Prometheus' HTTP API and strings as Go's encoder writes them. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/http.h"

namespace wiregauge::query {

// Appends a quoted string. `text` is UTF-8; control characters, quotes, "<", ">", "&", U+2028 and U+2029 are escaped.
void AppendJsonString(std::string& out, std::string_view text);

// {"status":"success","data":…} with data as given.
http::Response Success(std::string_view data);

// {"status":"error","errorType":"bad_data","error":…}, 400.
http::Response BadData(std::string_view error);
// The same with "execution" and 422, "internal" and 500.
http::Response ExecutionError(std::string_view error);
http::Response InternalError(std::string_view error);

}  // namespace wiregauge::query
