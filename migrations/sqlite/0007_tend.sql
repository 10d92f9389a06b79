-- Tend: what the house does by itself to stay fit: it says what needs a person, and lets go of what is old.
--
-- Why these tables: see the Postgres migration of the same number; here in SQLite's words.

create table named_assets (
  id  text not null primary key check (instr(id, char(0)) = 0)
) strict, without rowid;

insert into named_assets (id)
select distinct value
from tokens, json_each(json_array(
  product_config ->> 'brandLogoAssetId',
  product_config ->> 'issuerLogoAssetId',
  product_config ->> 'coBrandLogoAssetId',
  product_config ->> 'cardBackgroundCombinedAssetId',
  product_config ->> 'cardBackgroundAssetId',
  product_config ->> 'iconAssetId'))
where namespace = 'mdes'
  and typeof(value) = 'text';

update schema_info set version = 7;
