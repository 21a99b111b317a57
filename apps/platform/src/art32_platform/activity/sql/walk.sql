-- The whole log beside its chain, in the chain's order; what is in no link comes last.
DECLARE walk NO SCROLL CURSOR FOR
SELECT link.number, link.activity_id, link.hash, row_now.id, {canonical}
  FROM activity_link link FULL JOIN activity_activity row_now ON row_now.id = link.activity_id
 ORDER BY link.number NULLS LAST, row_now.id
