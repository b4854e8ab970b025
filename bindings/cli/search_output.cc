#include "bindings/cli/search_output.h"

#include "bindings/cli/values.h"

namespace npk::cli {

Json SearchOutput::json_hits(const TopK& hits) const {
  Json list = Json::array();
  for (size_t i = 0; i < hits.rows.size(); ++i) {
    Json hit;
    hit["rank"] = i + 1;
    hit["row"] = hits.rows[i];
    hit["score"] = json_number(hits.scores[i]);
    if (labels_ != nullptr) {
      const Labels::Label label = labels_->at(hits.rows[i]);
      hit["label"] = label.text;
      hit["description"] = label.description.empty() ? Json(nullptr) : Json(label.description);
    }
    list.push_back(std::move(hit));
  }
  return list;
}

void SearchOutput::open_table(const TopK& hits) {
  // Of many queries some may have descriptions; of one it is known.
  has_descriptions_ = labels_ != nullptr && of_many_;
  for (const uint64_t row : hits.rows) {
    has_descriptions_ |= labels_ != nullptr && !labels_->at(row).description.empty();
  }
  std::vector<Table::Column> columns;
  if (of_many_) columns.push_back({"query", Table::Align::kRight});
  columns.push_back({"rank", Table::Align::kRight});
  columns.push_back({"row", Table::Align::kRight});
  columns.push_back({"score", Table::Align::kLeft});
  if (labels_ != nullptr) columns.push_back({"label", Table::Align::kLeft});
  if (has_descriptions_) columns.push_back({"description", Table::Align::kLeft});
  table_.emplace(console_, std::move(columns));
}

void SearchOutput::print_rows(const TopK& hits) {
  if (!table_) open_table(hits);
  for (size_t i = 0; i < hits.rows.size(); ++i) {
    std::vector<std::string> cells;
    if (of_many_) cells.push_back(std::to_string(next_query_));
    cells.push_back(std::to_string(i + 1));
    cells.push_back(std::to_string(hits.rows[i]));
    cells.push_back(number_text(hits.scores[i]));
    if (labels_ != nullptr) cells.push_back(printable(labels_->at(hits.rows[i]).text));
    if (has_descriptions_) cells.push_back(printable(labels_->at(hits.rows[i]).description));
    table_->add(std::move(cells));
  }
}

void SearchOutput::add(const TopK& hits) {
  if (format_ == SearchFormat::kTable) {
    print_rows(hits);
  } else if (format_ == SearchFormat::kJsonLines) {
    Json line = console_.object();
    line["query"] = next_query_;
    line["hits"] = json_hits(hits);
    console_.print(line);
  } else if (of_many_) {
    answers_.push_back({{"query", next_query_}, {"hits", json_hits(hits)}});
  } else {
    answers_ = json_hits(hits);
  }
  ++next_query_;
}

void SearchOutput::finish(Json object, const Json& stats) {
  if (format_ == SearchFormat::kTable) {
    if (!table_) open_table({});
    table_->flush();
    return;
  }
  if (format_ == SearchFormat::kJsonLines) {
    if (stats.is_null()) return;
    object = console_.object();
  } else {
    object[of_many_ ? "answers" : "hits"] = std::move(answers_);
  }
  if (!stats.is_null()) object["stats"] = stats;
  console_.print(object);
}

}  // namespace npk::cli
