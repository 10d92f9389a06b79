-- Tend: what the house does by itself to stay fit: it says what needs a person, and lets go of what is old.

-- Which card art may be fetched: what some token named. Beside the tokens, since an index of six fields of theirs would
-- cost every change of a status.
create table named_assets (
  id  text collate "C" primary key
);

comment on table named_assets is 'Assets that the card art of some MDES token names, or named';
comment on column named_assets.id is 'MDES''s id of the asset';

insert into named_assets (id)
select distinct id
from tokens
cross join lateral (
  values
    (product_config ->> 'brandLogoAssetId'),
    (product_config ->> 'issuerLogoAssetId'),
    (product_config ->> 'coBrandLogoAssetId'),
    (product_config ->> 'cardBackgroundCombinedAssetId'),
    (product_config ->> 'cardBackgroundAssetId'),
    (product_config ->> 'iconAssetId')
) as named (id)
where namespace = 'mdes'
  and id is not null;

update schema_info set version = 7;
